"""The seven landmarks of NoW, and checks that catch a wrong order or unit before anything is scored."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.metrics.now.names import UNIT_TO_MM, Unit

LANDMARK_NAMES = (
    "right eye outer corner",
    "right eye inner corner",
    "left eye inner corner",
    "left eye outer corner",
    "nose bottom",
    "right mouth corner",
    "left mouth corner",
)
"""Order of the seven landmarks; right and left are the subject's own."""

INDEX_IN_68 = SEVEN_POINTS
"""Places of the seven among iBUG's 68."""

MIRRORED = (3, 2, 1, 0, 4, 6, 5)

EYE_DISTANCE_MM = (60.0, 130.0)
"""Plausible distance of the outer eye corners of a person, generously."""

SWAPPED = "right and left seem swapped"


def as_landmarks(landmarks: ArrayLike, source: str = "landmarks") -> Float[NDArray, "7 3"]:
    """Check and give seven landmarks, in their own float type.

    Args:
        landmarks: (7, 3), or (1, 7, 3) which is squeezed.
        source: what to call them in errors, such as the file's path.

    Raises:
        MGCError: if there are not seven points, one is not finite, or points coincide.

    Example:
        >>> stored = np.arange(21, dtype=np.float32).reshape(1, 7, 3)  # as some methods write them
        >>> as_landmarks(stored).shape
        (7, 3)
    """
    try:
        array = np.asarray(landmarks)
        array = array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise MGCError(f"{source}: expected 7 rows of 3 numbers, got {error}") from error
    if array.shape == (1, 7, 3):
        array = array[0]
    if array.shape != (7, 3):
        raise MGCError(
            f"{source}: expected 7 landmarks of shape (7, 3), got {array.shape}. Order: {', '.join(LANDMARK_NAMES)}"
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise MGCError(f"{source}: expected finite landmarks, got {array[row]} for {LANDMARK_NAMES[row]}")
    spread = np.linalg.norm(array - array.mean(axis=0), axis=1)
    if spread.max() <= 0 or len(np.unique(array, axis=0)) < 7:
        raise MGCError(f"{source}: expected 7 different landmarks, some coincide: {array.tolist()}")
    return array


def order_problem(landmarks: ArrayLike, scan_landmarks: ArrayLike) -> str | None:
    """Say what is wrong with the order of predicted landmarks, or None.

    The residual of a reflection-free similarity fit to the scan's landmarks is compared with that of the subject's
    right and left swapped, and with the size of the landmarks.

    Args:
        landmarks: (7, 3) of the prediction, any unit.
        scan_landmarks: (7, 3) of the scan.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> points = model.landmarks7(model.mean).numpy()
        >>> order_problem(points / 10, points) is None
        True
        >>> order_problem(points[[3, 2, 1, 0, 4, 6, 5]], points) is None  # right and left exchanged
        False
    """
    plain = _fit_residual(landmarks, scan_landmarks)
    swapped = _fit_residual(np.asarray(landmarks)[list(MIRRORED)], scan_landmarks)
    if plain > 2 * swapped and plain > 0.1:
        return f"{SWAPPED}: they fit the scan's {plain / swapped:.1f} times better in the order {list(MIRRORED)}"
    if plain > 0.35:
        return (
            f"they do not look like the scan's landmarks (residual {plain:.0%} of their size); "
            f"expected order: {', '.join(LANDMARK_NAMES)}"
        )
    return None


def unit_problem(landmarks: ArrayLike, unit: Unit) -> str | None:
    """Say why `unit` cannot be the unit of predicted landmarks (7, 3), or None.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> points = model.landmarks7(model.mean).numpy()
        >>> unit_problem(points, "mm") is None, unit_problem(points, "m") is None
        (True, False)
    """
    check_choice("unit", unit, Unit)
    array = np.asarray(landmarks, dtype=np.float64)
    eyes = float(np.linalg.norm(array[0] - array[3]))
    if EYE_DISTANCE_MM[0] <= eyes * UNIT_TO_MM[unit] <= EYE_DISTANCE_MM[1]:
        return None
    fitting = [u for u, mm in UNIT_TO_MM.items() if EYE_DISTANCE_MM[0] <= eyes * mm <= EYE_DISTANCE_MM[1]]
    hint = f"it looks like {fitting[0]}" if fitting else f"no unit among {', '.join(UNIT_TO_MM)} fits"
    return (
        f"the outer eye corners are {eyes:.4g} {unit} apart, expected "
        f"{EYE_DISTANCE_MM[0]:g} to {EYE_DISTANCE_MM[1]:g} mm; {hint}"
    )


def _fit_residual(source: ArrayLike, target: ArrayLike) -> float:
    """Give the residual of the best rotation and scale, as a part of the target's size (0..1)."""
    x = np.asarray(source, dtype=np.float64)
    y = np.asarray(target, dtype=np.float64)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    u, singular, vt = np.linalg.svd(y.T @ x)
    singular[2] *= np.sign(np.linalg.det(u @ vt))
    return float(np.sqrt(max(0.0, 1.0 - min(1.0, singular.sum()) ** 2)))
