"""Detected faces of NoW: pickled dictionaries in .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.unpickle import load_arrays

SIDES = ("left", "top", "right", "bottom")


def read_dictionary(path: str | Path) -> dict[str, Any]:
    """Read a .npy file that holds one dictionary of plain values and arrays, without running anything of it.

    Raises:
        MGCError: if it is missing or holds anything else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "box.npy"
        >>> write_detected_box(path, [10, 20, 110, 140])
        >>> read_dictionary(path)
        {'left': 10.0, 'top': 20.0, 'right': 110.0, 'bottom': 140.0}
    """
    found = load_arrays(path)
    if isinstance(found, np.ndarray) and found.dtype.hasobject and found.ndim == 0:
        found = found.item()
    if not isinstance(found, dict):
        raise MGCError(f"{path}: expected a .npy file with a dictionary, got {type(found).__name__}")
    return found


def read_detected_box(path: str | Path) -> Float[NDArray, " 4"]:
    """Read a detected box: x0, y0, x1, y1 in px, from left, top, right, bottom.

    Raises:
        MGCError: if the file holds no such box, or it is empty.
    """
    found = read_dictionary(path)
    if not set(SIDES) <= set(found):
        raise MGCError(f"{path}: expected a dictionary with {', '.join(SIDES)}, got {', '.join(map(str, found))}")
    try:
        box = np.array([float(found[side]) for side in SIDES])
    except (TypeError, ValueError) as error:
        raise MGCError(f"{path}: expected numbers, got {found}") from error
    if not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise MGCError(f"{path}: expected left < right and top < bottom, got {found}")
    return box


def write_detected_box(path: str | Path, box: ArrayLike) -> None:
    """Write a box x0, y0, x1, y1 in the official form.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "box.npy"
        >>> write_detected_box(path, [10, 20, 110, 140])
        >>> read_detected_box(path).tolist()
        [10.0, 20.0, 110.0, 140.0]
    """
    sides = dict(zip(SIDES, np.asarray(box, float).tolist(), strict=True))
    with atomic_path(path) as temporary:
        np.save(temporary, np.array(sides, dtype=object), allow_pickle=True)
