"""PLY files: ASCII and binary of either byte order, polygons of any mixture, colours of any type, in the file's order.

What the header claims is compared with the file before memory is taken.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.colors import unit_colors
from mgc_lightning.files.plain_obj import parse_numbers
from mgc_lightning.files.reading import excerpt

logger = logging.getLogger(__name__)

LONGEST_HEADER = 2**20
_END = re.compile(rb"^end_header[ \t]*(\r\n|\n|\r)", re.MULTILINE)
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "int64": "i8", "uint64": "u8",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_CORNERS = ("vertex_indices", "vertex_index")

Columns = dict[str, NDArray | list[NDArray]]
"""By property: (N,) values, or of a list (N, L) where all are as long, and a list of arrays where not."""


@dataclass
class Property:
    """Hold what a header says of a property; `counts` is the type of a list's length."""

    name: str
    type: np.dtype
    counts: np.dtype | None = None


@dataclass
class Element:
    """Hold what a header says of an element."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)

    @property
    def shortest(self) -> int:
        """Bytes, or words of text, that a row has at least."""
        return sum((p.counts or p.type).itemsize for p in self.properties)


def read_ply(path: Path) -> tuple[NDArray, Int[NDArray, "F 3"], Float[NDArray, "N 3"] | None]:
    """Read vertices, triangles (polygons become fans, in place) and colours of vertices in [0, 1].

    Raises:
        MGCError: if it is no PLY, is cut off or damaged, or has no vertices.
    """
    data = path.read_bytes()
    order, elements, body = _header(path, data)
    columns = _ascii(path, elements, body) if not order else _binary(path, elements, body)
    vertex = columns.get("vertex", {})
    if not all(axis in vertex for axis in "xyz"):
        raise MGCError(f"{path}: expected a PLY file with vertices x, y and z, found none")
    verts = np.stack([np.asarray(vertex[axis], np.float64) for axis in "xyz"], axis=1)
    names = next((names for names in _COLORS if all(name in vertex for name in names)), None)
    colors = None if names is None else unit_colors(np.stack([np.asarray(vertex[name]) for name in names], axis=1))
    return verts, _triangles(path, columns), colors


def _header(path: Path, data: bytes) -> tuple[str, list[Element], memoryview]:
    """Read the header; give the byte order (none of text), the elements and what follows."""
    end = _END.search(data, 0, LONGEST_HEADER)
    if data[:3].lower() != b"ply" or end is None:
        raise ValueError("it does not begin as a PLY file does")
    # Bytes know fewer ends of lines than text: U+2028 may stand in a comment.
    lines = [line.decode("utf-8", errors="replace").split() for line in data[: end.start()].splitlines()[1:]]
    order, elements = None, []
    for words in lines:
        match words:
            case ["format", kind, *_] if kind in _FORMATS:
                order = _FORMATS[kind]
            case ["element", name, count] if count.isdecimal():
                elements.append(Element(name, int(count)))
            case ["property", "list", counts, kind, name] if elements and {counts, kind} <= set(_TYPES):
                types = [np.dtype(f"{order or '='}{_TYPES[each]}") for each in (kind, counts)]
                elements[-1].properties.append(Property(name, *types))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append(Property(name, np.dtype(f"{order or '='}{_TYPES[kind]}")))
            case ["comment" | "obj_info", *_] | []:
                pass
            case _:
                raise ValueError(f"a line of its header is {excerpt(' '.join(words), 60)!r}")
    if order is None:
        raise ValueError("its header names no format")
    return order, elements, memoryview(data)[end.end() :]


def _binary(path: Path, elements: list[Element], body: memoryview) -> dict[str, Columns]:
    columns, start = {}, 0
    for element in elements:
        if element.count * element.shortest > len(body) - start:
            raise _short(path, elements, f"{len(body)} bytes follow its header")
        columns[element.name], start = _binary_rows(path, element, body, start)
    if start != len(body):
        raise MGCError(
            f"{path}: {len(body) - start} bytes follow what its header counts: it is damaged (were its line ends "
            "converted?)"
        )
    return columns


def _binary_rows(path: Path, element: Element, body: memoryview, start: int) -> tuple[Columns, int]:
    """Read the rows of an element: at once where they are all of one length, as they mostly are."""
    if not element.count:
        return {}, start
    lengths = _first_lengths(element, body, start)
    fields: list[tuple] = []
    for number, prop in enumerate(element.properties):
        if prop.counts is not None:
            fields.append((f"count {number}", prop.counts))
        fields.append((prop.name, prop.type) if prop.counts is None else (prop.name, prop.type, (lengths[number],)))
    if len({name for name, *_ in fields}) == len(fields):
        row = np.dtype(fields)
        end = start + row.itemsize * element.count
        if end <= len(body):
            rows = np.frombuffer(body, row, element.count, start)
            if all((rows[f"count {number}"] == length).all() for number, length in lengths.items()):
                return {prop.name: rows[prop.name] for prop in element.properties}, end
    return _mixed_rows(path, element, body, start)


def _first_lengths(element: Element, body: memoryview, start: int) -> dict[int, int]:
    """Give the lengths of the lists of the first row, by the number of the property."""
    lengths = {}
    for number, prop in enumerate(element.properties):
        if prop.counts is not None:
            if start + prop.counts.itemsize > len(body):
                return dict.fromkeys((n for n, p in enumerate(element.properties) if p.counts is not None), 0)
            lengths[number] = max(0, int(np.frombuffer(body, prop.counts, 1, start)[0]))
            start += prop.counts.itemsize + lengths[number] * prop.type.itemsize
        else:
            start += prop.type.itemsize
    return {number: min(length, len(body)) for number, length in lengths.items()}


def _mixed_rows(path: Path, element: Element, body: memoryview, start: int) -> tuple[Columns, int]:
    """Read rows of different lengths one by one."""
    found: dict[str, list] = {prop.name: [] for prop in element.properties}
    for number in range(element.count):
        for prop in element.properties:
            count, end = 1, start
            if prop.counts is not None:
                end += prop.counts.itemsize
                count = int(np.frombuffer(body, prop.counts, 1, start)[0]) if end <= len(body) else 0
            end, start = end + count * prop.type.itemsize, end
            if not start <= end <= len(body):
                raise MGCError(
                    f"{path}: row {number} of {element.count} of `{element.name}` leads beyond its end: it is cut off, "
                    "or damaged"
                )
            values = np.frombuffer(body, prop.type, count, start)
            found[prop.name].append(values if prop.counts is not None else values[0])
            start = end
    return {p.name: found[p.name] if p.counts else np.array(found[p.name], p.type) for p in element.properties}, start


def _ascii(path: Path, elements: list[Element], body: memoryview) -> dict[str, Columns]:
    text = bytes(body)
    # Only these end a line: others, which Python knows too, may stand in a comment.
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < sum(element.count for element in elements):
        raise _short(path, elements, f"{len(lines)} lines follow its header")
    if not text.endswith((b"\n", b"\r")):
        logger.warning("%s: its last line is not ended: the file may be cut off.", path)
    columns, start = {}, 0
    for element in elements:
        columns[element.name] = _ascii_rows(path, element, lines[start : start + element.count])
        start += element.count
    return columns


def _ascii_rows(path: Path, element: Element, lines: list[bytes]) -> Columns:
    if not lines:
        return {}
    lists = [prop for prop in element.properties if prop.counts is not None]
    rows = parse_numbers(lines, (len(lines[0].split()),))
    if rows is not None and not lists and rows.shape[1] == len(element.properties):
        return {prop.name: rows[:, n].astype(prop.type) for n, prop in enumerate(element.properties)}
    if rows is not None and len(lists) == len(element.properties) == 1 and (rows[:, 0] == rows.shape[1] - 1).all():
        return {lists[0].name: rows[:, 1:].astype(lists[0].type)}
    found: dict[str, list] = {prop.name: [] for prop in element.properties}
    for number, line in enumerate(lines):
        words, start = line.split(), 0
        for prop in element.properties:
            count = 1
            if prop.counts is not None and start < len(words):
                count, start = int(words[start]), start + 1
            if not 0 <= count <= len(words) - start:
                raise MGCError(
                    f"{path}: row {number} of {element.count} of `{element.name}` has too few numbers: it is cut off, "
                    "or damaged"
                )
            values = np.array([float(word) for word in words[start : start + count]]).astype(prop.type)
            found[prop.name].append(values if prop.counts is not None else values[0])
            start += count
    return {p.name: found[p.name] if p.counts else np.array(found[p.name], p.type) for p in element.properties}


def _triangles(path: Path, columns: dict[str, Columns]) -> Int[NDArray, "F 3"]:
    face = columns.get("face", {})
    polygons = next((face[name] for name in _CORNERS if name in face), None)
    if polygons is None:
        if "tristrips" in columns:
            raise MGCError(f"{path}: expected faces, got strips of triangles; export it with triangles")
        return np.empty((0, 3), np.int64)
    if isinstance(polygons, np.ndarray) and polygons.ndim == 2 and polygons.shape[1] >= 3:
        corners = polygons.astype(np.int64)
        fans = [corners[:, [0, k, k + 1]] for k in range(1, corners.shape[1] - 1)]
        return np.stack(fans, axis=1).reshape(-1, 3)
    triangles: list[tuple[int, int, int]] = []
    for number, polygon in enumerate(polygons):
        corners = polygon.tolist()
        if len(corners) < 3:
            raise MGCError(f"{path}: face {number} has {len(corners)} corners; expected three or more")
        triangles.extend((corners[0], b, c) for b, c in pairwise(corners[1:]))
    return np.array(triangles, np.int64).reshape(-1, 3)


def _short(path: Path, elements: list[Element], found: str) -> MGCError:
    counts = " and ".join(f"{element.count} of `{element.name}`" for element in elements)
    return MGCError(f"{path}: its header counts {counts}, but {found}: it is cut off, or damaged")
