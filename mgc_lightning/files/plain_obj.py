"""A fast reader for the OBJ files that programs write: every vertex and every face line of one form.

Scans have hundreds of thousands of lines. Here numpy parses them at once; whatever is not of the plain form is left to
the careful reader of `files.mesh`.
"""

from __future__ import annotations

import codecs
import re
import warnings

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

TEXTURE_AND_NORMAL = re.compile(rb"/[^\s]*")
CONTINUED = re.compile(rb"\\(?:\r\n|\r|\n)")
UNUSUAL = re.compile(rb"\\[\r\n]|^[ \t]+[vf][ \t]|^[vf]\t", re.MULTILINE)
"""Continued lines, and vertices or faces that do not begin with the letter and a blank."""
_AFTER_CR = re.compile(rb"\r(?:[ \t]+[vf][ \t]|[vf]\t)")
"""The latter after ends of lines that `UNUSUAL` does not know."""
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COMMENT = re.compile(rb"(?:^|(?<=\r))([ \t]*(?:#|(?:v|vt|vn|f)[ \t][^#\r\n]*#))[^\r\n]*", re.MULTILINE)
"""Lines that are comments, and comments after numbers; of the names of materials and groups a `#` may be a part."""


def tidy_obj(data: bytes) -> bytes:
    r"""Make an OBJ file UTF-8 without a byte-order mark, without comments, and without continued lines.

    Example:
        >>> tidy_obj(b"\xef\xbb\xbfv 1 2 3#four\n# C:\\\nf 1 2 \\\n3 # 4\n")
        b'v 1 2 3\n\nf 1 2  3 \n'
    """
    if data.startswith(MARKS[1:]):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    # A comment ends with its line, also where a path in it ends in a backslash.
    return _uncommented(CONTINUED.sub(b" ", _uncommented(data)))


def _uncommented(data: bytes) -> bytes:
    return _COMMENT.sub(lambda found: found[1].rstrip(b"#"), data)


def parse_vertices(data: bytes) -> Float[NDArray, "N C"] | None:
    r"""Read the `v` lines of an OBJ file: (N, 3), or (N, 6) with colours; None if they are not plain.

    Example:
        >>> parse_vertices(b"v 1 2 3\nv 4 5e-1 -6\nf 1 2 2\n").tolist()
        [[1.0, 2.0, 3.0], [4.0, 0.5, -6.0]]
    """
    if data.startswith(MARKS) or UNUSUAL.search(data) or (b"\r" in data and _AFTER_CR.search(data)):
        return None
    lines = [line[2:] for line in data.splitlines() if line.startswith(b"v ")]
    return parse_numbers(lines, (3, 6))


def parse_faces(data: bytes) -> Int[NDArray, "F 3"] | None:
    r"""Read the `f` lines of a triangle mesh, counting from 0; None if they are not plain.

    Example:
        >>> parse_faces(b"f 1/1 2/2/9 3//4\nf 1 3 2\n").tolist()
        [[0, 1, 2], [0, 2, 1]]
    """
    lines = [line[2:] for line in data.splitlines() if line.startswith(b"f ")]
    if lines and b"/" in lines[0]:
        lines = TEXTURE_AND_NORMAL.sub(b"", b"\n".join(lines)).split(b"\n")
    numbers = parse_numbers(lines, (3,))
    if numbers is None:
        return None
    faces = numbers.astype(np.int64)
    return faces - 1 if (faces == numbers).all() and faces.min(initial=1) >= 1 else None


def parse_plain_obj(data: bytes) -> tuple[Float[NDArray, "N C"], Int[NDArray, "F 3"]] | None:
    r"""Read vertices and faces; None if the file needs the careful reader.

    Example:
        >>> verts, faces = parse_plain_obj(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
        >>> verts.shape, faces.tolist()
        ((3, 3), [[0, 1, 2]])
    """
    verts = parse_vertices(data)
    faces = None if verts is None or not len(verts) else parse_faces(data)
    return None if verts is None or faces is None else (verts, faces)


def parse_numbers(lines: list[bytes], widths: tuple[int, ...]) -> Float[NDArray, "L W"] | None:
    """Parse lines that all hold the same number of numbers, one of `widths`; None if they do not.

    Example:
        >>> parse_numbers([b"1 2", b"3 4"], (2, 3)).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
        >>> parse_numbers([b"1 2", b"3 4 5"], (2, 3)) is None
        True
    """
    if not lines:
        return np.empty((0, widths[0]))
    width = len(lines[0].split())
    if width not in widths:
        return None
    # A number more or less in one line would shift the others: every line must have as many words.
    if any(len(line.split()) != width for line in lines):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            numbers = np.fromstring(b" ".join(lines), sep=" ", dtype=np.float64)
        except (DeprecationWarning, ValueError):
            return None
    return numbers.reshape(-1, width) if numbers.size == width * len(lines) else None
