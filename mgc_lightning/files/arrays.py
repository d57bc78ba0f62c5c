"""Arrays of numpy in foreign files: what a header claims is compared with the file before memory is taken."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reading

LARGEST = 4 * 2**30
"""Bytes that the members of an archive may hold together when they are unpacked."""
BLOCK = 2**24


def read_npy(path: str | Path) -> NDArray:
    """Read a `.npy` file of plain values.

    Raises:
        MGCError: if it is missing, damaged, cut off, or holds objects.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "points.npy"
        >>> np.save(path, np.zeros((68, 2)))
        >>> read_npy(path).shape
        (68, 2)
        >>> _ = path.write_bytes(path.read_bytes()[:200])
        >>> read_npy(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...points.npy: expected 1088 bytes of values (68, 2) of float64, got 72
    """
    with reading(path, "cannot be read as an array"), open(path, "rb") as stream:
        return _parse(stream, Path(path).stat().st_size, path)


def read_npz(path: str | Path, names: Collection[str] | None = None) -> dict[str, NDArray]:
    """Read an `.npz` file of plain values; every member's checksum is compared.

    Args:
        path: of the file.
        names: of the arrays that are needed; what else there is, objects too, is left aside. All if not given.

    Raises:
        MGCError: if it is missing, damaged, holds objects, or unpacks to more than `LARGEST` bytes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.npz"
        >>> np.savez_compressed(path, faces=np.zeros((4, 3), np.int32))
        >>> {name: array.shape for name, array in read_npz(path).items()}
        {'faces': (4, 3)}
    """
    arrays = {}
    with reading(path, "cannot be read as arrays without pickles"), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > LARGEST:
            raise MGCError(f"{path}: unpacks to more than {LARGEST / 2**30:.0f} GB; it is refused")
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if names is not None and name not in names:
                continue
            if name in arrays:
                raise MGCError(f"{path}: two arrays have the name `{name}`")
            with archive.open(entry) as stream:
                arrays[name] = _parse(stream, entry.file_size, f"{path}, {entry.filename}")
                stream.read(1)  # the checksum is compared at the end
    return arrays


def read_header(stream: IO[bytes] | io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of a `.npy` file: shape, whether it is in Fortran's order, type.

    Raises:
        ValueError: for a version that is not known; its own reader raises more.
    """
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"version {version[0]}.{version[1]} of the format")


def _parse(stream: IO[bytes] | io.BufferedIOBase, size: int, source: object) -> NDArray:
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise MGCError(f"{source}: holds objects, which could run code; expected an array of plain values")
    if any(side < 0 for side in shape):
        raise MGCError(f"{source}: expected an array, got the shape {shape}")
    wanted, there = prod(shape) * dtype.itemsize, size - stream.tell()
    if wanted != there:
        raise MGCError(f"{source}: expected {wanted} bytes of values {shape} of {dtype}, got {there}")
    data, filled = np.empty(wanted, np.uint8), 0
    while filled < wanted:
        block = stream.read(min(BLOCK, wanted - filled))
        if not block:
            raise MGCError(f"{source}: expected {wanted} bytes of values {shape} of {dtype}, got {filled}")
        data[filled : filled + len(block)] = np.frombuffer(block, np.uint8)
        filled += len(block)
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")
