"""Weights as safetensors: read with what they say of themselves, those of official networks, loaded whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checksum import check_tensors, with_checksum
from mgc_lightning.files.reading import excerpt, reason, stand_in

OFFICIAL_FORMAT = "mgc-lightning official weights"


def read_tensors(path: str | Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read a safetensors file.

    Returns:
        Its metadata, and its tensors on the CPU.

    Raises:
        MGCError: if it cannot be read, or its content differs from its checksum.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    check_tensors(tensors, metadata, path)
    return metadata, tensors


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file with the checksum of its content, whole or not at all.

    Args:
        path: the file.
        tensors: contiguous, on the CPU.
        metadata: what they are.

    Example:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "mine.safetensors"
        >>> write_tensors(path, {"weight": torch.ones(2)}, {"about": "ones"})
        >>> metadata, tensors = read_tensors(path)
        >>> metadata["about"], tensors["weight"].tolist()
        ('ones', [1.0, 1.0])
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(dict(tensors), metadata=with_checksum(tensors, metadata)))


def read_metadata(path: str | Path) -> dict[str, str]:
    """Read what a safetensors file says of itself, and no tensor.

    Raises:
        MGCError: if it cannot be read.
    """
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except MGCError:
        raise
    except Exception as error:  # its own, and those of torch for types and shapes that cannot be
        raise MGCError(f"{path}: not a safetensors file, or damaged ({stand_in(path) or reason(error)})") from error


def load_weights(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Load a state dictionary whole and say in one line what does not fit.

    Raises:
        MGCError: if keys are missing, foreign, or of other shapes.

    Example:
        >>> import torch
        >>> load_weights(nn.Linear(2, 1), {"weight": torch.ones(1, 2)}, "mine.safetensors")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: mine.safetensors: the weights do not fit the network: Missing key(s) ...
    """
    try:
        module.load_state_dict(dict(state))
    except (RuntimeError, AttributeError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        said = excerpt(" ".join(lines) or reason(error), 400)
        raise MGCError(f"{source}: the weights do not fit the network: {said}") from error


def save_official(state: dict[str, Tensor], path: str | Path, about: dict[str, str]) -> None:
    """Write tensors converted from an official network with what they are; `about` holds at least `network`."""
    header = json.dumps({"format": OFFICIAL_FORMAT, **about}, sort_keys=True)
    write_tensors(path, state, {"official": header})


def read_official(path: str | Path, *networks: str) -> tuple[str, dict[str, Tensor]]:
    """Read the tensors of an official network, one of those named.

    Returns:
        Which network it is, and its tensors.

    Raises:
        MGCError: if the file cannot be read, is no official network or another one.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mgcnet.safetensors"
        >>> save_official(nn.Linear(2, 1).state_dict(), path, {"network": "mgcnet"})
        >>> network, state = read_official(path, "mgcnet", "imagenet")
        >>> network, state["weight"].shape
        ('mgcnet', torch.Size([1, 2]))
    """
    metadata, state = read_tensors(path)
    found = official_network(metadata)
    if found is None or found not in networks:
        raise MGCError(
            f"{path} does not hold the official `{'` or `'.join(networks)}` network but "
            f"{excerpt(found or 'tensors of another program')}. Convert its checkpoint: mgc import-official --network "
            f"{networks[0]} --checkpoint CHECKPOINT --output {path}"
        )
    return found, state


def official_network(metadata: Mapping[str, str]) -> str | None:
    """Tell which official network the metadata of a file name; None for any other file."""
    try:
        about = json.loads(metadata.get("official", "{}"))
        return str(about.get("network")) if about.get("format") == OFFICIAL_FORMAT else None
    except (ValueError, AttributeError, RecursionError):
        return None
