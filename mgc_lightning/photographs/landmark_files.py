"""Landmarks in files: text, npy, and the pts files of iBUG."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.arrays import read_npy
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_text

SUFFIXES = (".pts", ".txt", ".npy")
COUNTS = (5, 68)


def read_landmarks(path: str | os.PathLike[str]) -> Float[Tensor, "N 2"]:
    """Read 5 or 68 points in px of the photograph (as its EXIF orientation shows it), pixel centres at +.5.

    - `.txt`: a line a point, `x y` or `x,y`, further columns ignored; a first line with the count alone is
    skipped,
      and so are empty lines and those that begin with `#`.
    - `.npy`: (N, 2) or (N, 3).
    - `.pts`: iBUG's; its coordinates count from 1 at the centre of the first pixel, and are converted.

    The five points are the two eye centres (the viewer's left one first), nose base, mouth corners
    (likewise).

    Raises:
        MGCError: if the file is missing or holds anything else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "face.txt"
        >>> _ = path.write_text(os.linesep.join(["# eyes, nose, mouth", "10 20", "30 20", "20 30", "14 40", "26 40"]))
        >>> read_landmarks(path).tolist()
        [[10.0, 20.0], [30.0, 20.0], [20.0, 30.0], [14.0, 40.0], [26.0, 40.0]]
    """
    file = Path(path)
    if not file.is_file():
        raise MGCError(f"{file}: no such landmark file")
    if file.suffix.lower() not in SUFFIXES:
        raise MGCError(f"{file}: expected landmarks as one of {SUFFIXES}, got {file.suffix!r}")
    with reading(file, "could not be read as landmarks"):
        if file.suffix.lower() == ".npy":
            points = read_npy(file)
        else:
            is_pts = file.suffix.lower() == ".pts"
            points = _parse(read_text(file, others="replace", torn=not is_pts), is_pts)
    return checked_landmarks(points, str(file))


def find_landmarks(place: str | Path, photo: str | Path, photos: int = 1) -> Path:
    """Give the landmark file of a photograph: `place` itself, or in that folder the file of the photograph's stem.

    Raises:
        MGCError: if there is none, or one file is to serve several photographs.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.save(folder / "anna.npy", np.zeros((68, 2)))
        >>> find_landmarks(folder, "holiday/anna.jpg").name
        'anna.npy'
    """
    place, photo = Path(place), Path(photo)
    if place.is_dir():
        candidates = [place / f"{photo.stem}{suffix}" for suffix in SUFFIXES]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            raise MGCError(f"{place}: no landmarks for {photo.name}; expected one of {[c.name for c in candidates]}")
        return found
    if photos > 1:
        raise MGCError(f"{place} is one file for {photos} photographs: give a folder as `landmarks`")
    return place


def checked_landmarks(points: np.ndarray | Tensor, name: str = "landmarks") -> Float[Tensor, "N 2"]:
    """Make sure that these are 5 or 68 finite points, and drop further columns.

    Raises:
        MGCError: if not.

    Example:
        >>> checked_landmarks(np.zeros((5, 3))).shape  # x and y of five points
        torch.Size([5, 2])
        >>> checked_landmarks(np.zeros((7, 2)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: landmarks: expected 5 or 68 points (x, y), got an array (7, 2) of float64. ...
    """
    array = np.asarray(points)
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[0] not in COUNTS or array.shape[1] < 2:
        raise MGCError(
            f"{name}: expected 5 or 68 points (x, y), got an array {array.shape} of {array.dtype}. The five are: "
            "eye centres, nose base, mouth corners, the viewer's left first"
        )
    if not np.isfinite(array[:, :2]).all():
        first = int(np.flatnonzero(~np.isfinite(array[:, :2]).all(1))[0])
        raise MGCError(
            f"{name}: a point is not finite, the first is number {first + 1} of {len(array)}: "
            f"{array[first, :2].tolist()}; leave the photograph out, or give the five points alone"
        )
    return torch.from_numpy(array[:, :2].astype(np.float32))


def _parse(text: str, is_pts: bool) -> np.ndarray:
    lines = [line.strip() for line in text.splitlines()]
    if is_pts:
        if "{" not in lines or "}" not in lines:
            raise ValueError("a pts file has its points between braces")
        lines = lines[lines.index("{") + 1 : lines.index("}")]
    rows = [
        [float(word) for word in re.split(r"[\s,;]+", line) if word]
        for line in lines
        if line and not line.startswith("#")
    ]
    if rows and len(rows[0]) == 1 and len(rows) == rows[0][0] + 1:
        rows = rows[1:]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("its lines differ in length")
    return np.array(rows) - (0.5 if is_pts else 0.0)
