"""The points of a scan in files: NoW's 7, iBUG's 68, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import read_picked_points
from mgc_lightning.files.arrays import read_npy
from mgc_lightning.files.reading import excerpt, reading, reason
from mgc_lightning.files.text import parse_json, read_text
from mgc_lightning.metrics.now.landmarks import INDEX_IN_68, as_landmarks, order_problem, unit_problem
from mgc_lightning.metrics.now.names import UNIT_TO_MM, Unit

SUFFIXES = (".json", ".txt", ".npy", ".pp")
ENDINGS = ("", "_landmarks", "_points", ".points")
"""What follows a scan's stem in the name of its points, where they are not named on the command line."""
KEYS = {"landmarks7": 7, "landmarks68": 68}


UPRIGHT = (
    (-44.0, 31.0, 56.0),
    (-18.0, 29.0, 64.0),
    (18.0, 29.0, 64.0),
    (44.0, 31.0, 56.0),
    (0.0, -19.0, 84.0),
    (-24.0, -39.0, 73.0),
    (24.0, -39.0, 73.0),
)
"""NoW's seven points, mm, of a face that looks ahead: x to the viewer's right, y up, z toward the viewer. A head's
frame is its scan's, turned and shifted onto them, so that cameras do not depend on any face model."""


@dataclass(frozen=True)
class ScanPoints:
    """Hold the points of a scan, in its own unit and frame.

    Attributes:
        landmarks7: (7, 3) NoW's, its order.
        landmarks68: (68, 3) iBUG's, where they are known.
        scale_to_mm: what the file says of the unit; None if it says nothing.
    """

    landmarks7: Float[NDArray, "7 3"]
    landmarks68: Float[NDArray, "68 3"] | None = None
    scale_to_mm: float | None = None


def find_points(scan: Path) -> Path:
    """Find the points beside a scan: `NAME.json`, `NAME_landmarks.json` and the like.

    Raises:
        MGCError: if there are none.
    """
    candidates = [scan.with_name(f"{scan.stem}{end}{suffix}") for end in ENDINGS for suffix in SUFFIXES]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise MGCError(
            f"{scan}: no points beside it; expected NoW's 7 or iBUG's 68 in {scan.stem}.json, .txt, .npy or .pp, "
            "or give the file of its points"
        )
    return found


def read_scan_points(path: Path) -> ScanPoints:
    """Read the points of a scan.

    - `.json`: an object with `landmarks7` or `landmarks68` (or both) as lists of [x, y, z], and, if need be,
      `scale_to_mm`; or a list of 7 or 68 points alone.
    - `.txt`: 7 or 68 lines `x y z` or `x,y,z`; lines that begin with `#` are left out.
    - `.npy`: (7, 3) or (68, 3).
    - `.pp`: the seven picked points of MeshLab, as NoW has them.

    Where only the 68 are given, the seven are taken from them.

    Raises:
        MGCError: if the file is missing or holds anything else.

    Example:
        >>> import json, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "scan.json"
        >>> points = np.arange(204.0).reshape(68, 3).tolist()
        >>> _ = path.write_text(json.dumps({"landmarks68": points, "scale_to_mm": 1000}))  # metres
        >>> found = read_scan_points(path)
        >>> found.landmarks7.shape, found.scale_to_mm, find_points(path.with_name("scan.obj")).name
        ((7, 3), 1000.0, 'scan.json')
    """
    if not path.is_file():
        raise MGCError(f"{path}: no such file of points")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MGCError(f"{path}: expected points as one of {SUFFIXES}, got {path.suffix!r}")
    if suffix == ".pp":
        return ScanPoints(read_picked_points(path).astype(np.float64))
    with reading(path, "could not be read as points"):
        content = _read(path, suffix)
    return _from_object(content, path) if isinstance(content, Mapping) else _from_arrays([_array(content, path)], path)


def points_in_mm(scan: Path, given: Path, unit: Unit | None = None) -> tuple[ScanPoints, float]:
    """Read the points of a scan in mm, and how many mm its unit has.

    Args:
        scan: of whose format the unit is where nothing else says it: metres for .glb, else mm.
        given: the file of its points.
        unit: of both; else what the file of points says.

    Raises:
        MGCError: if the points cannot be read, or their unit or their order cannot be true.
    """
    found = read_scan_points(given)
    fallback = 1000.0 if scan.suffix.lower() == ".glb" else 1.0
    scale = UNIT_TO_MM[unit] if unit else found.scale_to_mm or fallback
    seven = found.landmarks7 * scale
    problem = unit_problem(seven, "mm")
    if problem:
        raise MGCError(f"{given}: {problem}; give the scan's `unit`")
    problem = order_problem(seven, np.array(UPRIGHT))
    if problem:
        raise MGCError(f"{given}: {problem}")
    return ScanPoints(seven, None if found.landmarks68 is None else found.landmarks68 * scale, 1.0), scale


def _read(path: Path, suffix: str) -> Any:
    if suffix == ".npy":
        return read_npy(path)
    text = read_text(path, others="replace", torn=suffix == ".txt")
    if suffix == ".json":
        return parse_json(text, path)
    return np.array([line.replace(",", " ").split() for line in text.splitlines() if _says_something(line)], np.float64)


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _from_object(content: Mapping[str, Any], path: Path) -> ScanPoints:
    arrays = [_array(content[key], path) for key in KEYS if content.get(key) is not None]
    scale = content.get("scale_to_mm")
    if scale is not None and not (isinstance(scale, int | float) and 0 < scale < 1e9):
        raise MGCError(f"{path}: expected a positive scale_to_mm, got {excerpt(repr(scale))}")
    return _from_arrays(arrays, path, None if scale is None else float(scale))


def _array(values: Any, path: Path) -> Float[NDArray, "P 3"]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise MGCError(f"{path}: expected points [x, y, z] ({reason(error)})") from error
    if array.ndim != 2 or array.shape[1] != 3 or len(array) not in KEYS.values() or not np.isfinite(array).all():
        raise MGCError(
            f"{path}: expected NoW's 7 or iBUG's 68 finite points of a scan, (7, 3) or (68, 3); got {array.shape}"
        )
    return array


def _from_arrays(arrays: Sequence[NDArray], path: Path, scale: float | None = None) -> ScanPoints:
    by_count = {len(array): array for array in arrays}
    if not by_count:
        raise MGCError(f"{path}: expected `landmarks7` or `landmarks68`, found neither")
    all68 = by_count.get(68)
    seven = by_count[7] if 7 in by_count or all68 is None else all68[list(INDEX_IN_68)]
    return ScanPoints(as_landmarks(seven, str(path)), all68, scale)
