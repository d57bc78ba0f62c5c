"""Records of a W&B run as it lies on disk (`run-ID.wandb`): a log of blocks, each record a protocol buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reading

_BLOCK, _HEAD, _MARK = 32768, 7, b":W&B"
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
LARGEST = 2 * 2**30
"""Bytes of a file that is read."""


def read_wandb_file(path: str | Path) -> Iterator[Any]:
    """Yield the records of a run, `wandb_internal_pb2.Record`; one that is cut off at the end is left out.

    Args:
        path: `run-ID.wandb` of a run's folder, offline or not.

    Raises:
        MGCError: if it is missing, or no such file.
    """
    from wandb.proto import wandb_internal_pb2 as messages

    source = Path(path)
    with reading(source, "could not be read as a run of W&B"):
        if source.stat().st_size > LARGEST:
            raise MGCError(f"{source}: {source.stat().st_size >> 20} MiB is more than a run of W&B takes")
        data = source.read_bytes()
        if data[:4] != _MARK:
            raise MGCError(f"{source}: expected a run of W&B, which begins with {_MARK.decode()}")
        for part in _records(data):
            record = messages.Record()  # type: ignore[attr-defined]
            record.ParseFromString(part)
            yield record


def _records(data: bytes) -> Iterator[bytes]:
    at, whole = _HEAD, b""
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        part = data[at + _HEAD : at + _HEAD + size]
        if len(part) < size or kind not in (_FULL, _FIRST, _MIDDLE, _LAST):
            return
        at += _HEAD + size
        if kind in (_FULL, _FIRST):
            whole = b""
        whole += part
        if kind in (_FULL, _LAST):
            yield whole
