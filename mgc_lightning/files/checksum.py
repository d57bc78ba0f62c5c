"""Checksums that files bring along: damage on a disk or on the way is seen when they are read.

They tell damage, not forgery: who writes a file anew writes its checksum anew. Files of earlier versions have none, and
are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reading

CHECKSUM_KEY = "mgc_checksum"
"""Entry of the metadata of safetensors and ONNX files."""
REMEDY = "it is damaged; copy it again from where it came from"
_BLOCK = 2**24


def sha256_of(path: Path) -> str:
    """Hash a file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "empty"
        >>> path.touch()
        >>> sha256_of(path)[:8]
        'e3b0c442'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tensors_checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Hash tensors with what is said of them: names, types, shapes, values.

    Args:
        tensors: on the CPU.
        metadata: all of it; an entry `CHECKSUM_KEY` is left out.

    Example:
        >>> first = tensors_checksum({"weight": torch.ones(2)}, {})
        >>> len(first), first == tensors_checksum({"weight": torch.zeros(2)}, {})
        (64, False)
    """
    digest = hashlib.sha256()
    about = {key: value for key, value in metadata.items() if key != CHECKSUM_KEY}
    digest.update(json.dumps(about, sort_keys=True).encode("utf-8", "surrogatepass"))
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode("utf-8", "surrogatepass"))
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> memoryview:
    values: Any = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(values)


def with_checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """Give metadata with the checksum of tensors and metadata.

    Example:
        >>> sorted(with_checksum({"weight": torch.ones(2)}, {"a": "b"}))
        ['a', 'mgc_checksum']
    """
    return {**metadata, CHECKSUM_KEY: tensors_checksum(tensors, metadata)}


def check_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], source: object) -> None:
    """Compare tensors and metadata with the checksum among these, where there is one.

    Raises:
        MGCError: if they differ.

    Example:
        >>> metadata = with_checksum({"weight": torch.ones(2)}, {})
        >>> check_tensors({"weight": torch.zeros(2)}, metadata, "mine.safetensors")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: mine.safetensors: its content is not what was written: it is damaged; ...
    """
    expected = metadata.get(CHECKSUM_KEY)
    if expected is not None and tensors_checksum(tensors, metadata) != expected:
        raise MGCError(f"{source}: its content is not what was written: {REMEDY}")


def check_archive(path: str | Path) -> None:
    """Compare every member of a zip archive, as torch writes checkpoints and programs, with its CRC-32.

    torch writes these checksums, and does not read them. What is no archive passes: its reader refuses it.

    Raises:
        MGCError: if one differs, or members lie over each other.
    """
    with reading(path, f"its content is not what was written: {REMEDY}"):
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
            if packed or len(set(names)) != len(names):
                raise MGCError(f"{path}: not as torch writes it: members are compressed, or have the same name")
            for name in names:
                with archive.open(name) as stream:
                    while stream.read(_BLOCK):
                        pass


def seal(content: bytes) -> bytes:
    """Append the checksum of an ONNX model to it, as one more entry of its metadata.

    Protocol buffers take fields of a message that follow each other as one message.

    Example:
        >>> check_seal(seal(b"model"), "network.onnx")
        >>> check_seal(seal(b"model").replace(b"m", b"n", 1), "network.onnx")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: network.onnx: its content is not what was written: it is damaged; ...
    """
    return content + _seal_of(content)


def check_seal(content: bytes, source: object) -> None:
    """Compare an ONNX model with its checksum, where it has one.

    Raises:
        MGCError: if they differ.
    """
    length = len(_seal_of(b""))
    body, end = content[:-length], content[-length:]
    if end.startswith(_seal_of(b"")[:-64]) and end != _seal_of(body):
        raise MGCError(f"{source}: its content is not what was written: {REMEDY}")


def _seal_of(content: bytes) -> bytes:
    """Encode `metadata_props { key: CHECKSUM_KEY value: <64 hexadecimal digits> }`, field 14 of ModelProto."""
    key, value = CHECKSUM_KEY.encode(), hashlib.sha256(content).hexdigest().encode()
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry
