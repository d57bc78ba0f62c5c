"""MATLAB files: those of version 5 looked through before scipy reads them, those of version 7.3 by h5py.

scipy's compiled reader believes what a file says.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from mgc_lightning.errors import require
from mgc_lightning.files.reading import reading

LARGEST = 4 * 2**30
"""Bytes of a variable when it is unpacked; the largest of a face model has half of it."""
_UNPACKED = 1000
"""Bytes of an array for one byte in its file: no compression comes near."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_DEEPEST = 32
_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32 = 1, 5, 6
_NUMERIC = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))
_TEXT = frozenset((1, 2, 3, 4, 16, 17, 18))
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION = 1, 2, 3, 4, 5, 16


def read_mat(path: str | Path) -> dict[str, Any]:
    """Read the variables of a MATLAB file: of version 5 all, of version 7.3 (`save -v7.3`) numbers and text.

    Raises:
        MGCError: if it is missing, damaged, cut off, or no MATLAB file; MissingExtraError for version 7.3 without h5py.

    Example:
        >>> import numpy as np, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "points.mat"
        >>> scipy.io.savemat(path, {"pts_3d": np.zeros((68, 2))})
        >>> read_mat(path)["pts_3d"].shape
        (68, 2)
        >>> _ = path.write_bytes(path.read_bytes()[:-9])
        >>> read_mat(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...points.mat: cannot be read as a MATLAB file (1144 bytes ... follow)
    """
    content: dict[str, Any] = {}
    with reading(path, "cannot be read as a MATLAB file"):
        with open(path, "rb") as stream:
            begin = stream.read(520)
        if begin[512:520] == _HDF5:
            return _read_hdf5(path)
        data = Path(path).read_bytes()
        if data[126:128] in (b"IM", b"MI") and data[:4].count(b"\0") == 0:
            _Walk("<" if data[126:128] == b"IM" else ">").variables(memoryview(data)[128:])
        content = scipy.io.loadmat(str(path), appendmat=False)
    return content


def _read_hdf5(path: str | Path) -> dict[str, Any]:
    """Read arrays of numbers and text; what is nested (cells, structures, sparse matrices) is left aside.

    MATLAB counts its first dimension fastest, HDF5 its last: arrays come back turned over, as scipy gives them.
    """
    h5py = require("h5py", "face-models")
    content: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name, value in file.items():
            if not isinstance(value, h5py.Dataset) or value.dtype.hasobject:
                continue
            claimed = value.size * value.dtype.itemsize
            if claimed > LARGEST or claimed > _UNPACKED * max(int(value.id.get_storage_size()), 4096):
                raise ValueError(f"`{name}` claims {value.shape} of {value.dtype}, more than the file holds")
            kind = value.attrs.get("MATLAB_class", b"")
            if value.attrs.get("MATLAB_empty", 0):
                content[name] = np.zeros(tuple(int(side) for side in np.asarray(value).ravel()))
                continue
            array = np.asarray(value).T
            text = kind == b"char"
            content[name] = np.array(["".join(map(chr, row)) for row in array]) if text else array
    return content


class _Walk:
    """Go through the elements of a file, each a type, a length and so many bytes; a byte order."""

    def __init__(self, order: str) -> None:
        self.tag = struct.Struct(f"{order}II")
        self.order = order

    def variables(self, data: memoryview) -> None:
        """Check the variables of a file, one after another."""
        while len(data):
            kind, content, data = self.element(data)
            if kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                unpacked = unpacker.decompress(content, LARGEST)
                if unpacker.unconsumed_tail or not unpacker.eof:
                    raise ValueError("a compressed variable is cut off, or too large")
                kind, content, _ = self.element(memoryview(unpacked))
            if kind != _MATRIX:
                raise ValueError(f"expected a variable, got an element of type {kind}")
            self.matrix(content, 0)

    def element(self, data: memoryview) -> tuple[int, memoryview, memoryview]:
        """Split off one element: its type, its bytes, and what follows."""
        if len(data) < 8:
            raise ValueError("it is cut off")
        kind, size = self.tag.unpack(data[:8])
        if kind >> 16:  # a short element: its length, and up to four bytes, are in the tag
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
            return kind, data[4 : 4 + size], data[8:]
        if size > len(data) - 8:
            raise ValueError(f"{size} bytes are claimed where {len(data) - 8} follow")
        end = 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        return kind, data[8 : 8 + size], data[min(end, len(data)) :]

    def typed(self, data: memoryview, kinds: frozenset[int]) -> tuple[memoryview, memoryview]:
        """Split off an element of one of some types."""
        kind, content, rest = self.element(data)
        if kind not in kinds:
            raise ValueError(f"an element of type {kind}, where {', '.join(map(str, sorted(kinds)))} can be")
        return content, rest

    def matrix(self, data: memoryview, depth: int) -> None:
        """Check an array: flags, dimensions, name, and what its class has."""
        if not len(data):  # an empty one
            return
        flags, data = self.typed(data, frozenset((_UINT32,)))
        if len(flags) != 8 or depth > _DEEPEST:
            raise ValueError("an array without flags, or nested too deep")
        packed = struct.unpack(f"{self.order}I", flags[:4])[0]
        family, is_complex = packed & 0xFF, bool(packed & 0x0800)
        sides, data = self.typed(data, frozenset((_INT32,)))
        if len(sides) % 4 or not 8 <= len(sides) <= 128:
            raise ValueError("an array without dimensions")
        _, data = self.typed(data, frozenset((_INT8,)))
        if family in (_STRUCT, _OBJECT):
            for _ in range(2 if family == _OBJECT else 1):
                _, data = self.typed(data, frozenset((_INT8, _INT32)))
            _, data = self.typed(data, frozenset((_INT8, _INT32)))
        if family in (_CELL, _STRUCT, _OBJECT):
            while len(data):
                content, data = self.typed(data, frozenset((_MATRIX,)))
                self.matrix(content, depth + 1)
            return
        if family == 0 or family >= _FUNCTION:
            raise ValueError(f"an array of class {family}, which is none of numbers")
        for kinds in self.parts(family, is_complex):
            _, data = self.typed(data, kinds)

    @staticmethod
    def parts(family: int, is_complex: bool) -> list[frozenset[int]]:
        """Give the types that the values of a class may have."""
        values = [_TEXT if family == _CHAR else _NUMERIC] * (2 if is_complex else 1)
        return [frozenset((_INT32,))] * 2 + values if family == _SPARSE else values
