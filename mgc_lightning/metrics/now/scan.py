"""The part of a scan that NoW scores: a ball around the nose whose size follows the face (NoW evaluation, crop)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.now.landmarks import as_landmarks

RADIUS_FACTOR = 1.4
"""Of the mean of eye width and nose height; older write-ups say 1.2."""

CENTRE_FACTOR = 0.3
"""Place of the centre on the way from the nose's bottom to the bridge."""


@dataclass(frozen=True)
class NoWScan:
    """Hold what a scan contributes to every image of its subject.

    Attributes:
        points: (N, 3) float64 mm, the kept vertices in scan order, with or without faces.
        landmarks: (7, 3) float32 mm.
        index: (N,) places of `points` among the scan's vertices.
        centre: (3,) float32 mm.
        radius: mm, typically 95.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> scan = crop_scan(model.mean.numpy(), model.landmarks7(model.mean).numpy())
        >>> scan.points.shape[1], scan.landmarks.shape, len(scan.points) < model.num_verts, 80 < scan.radius < 110
        (3, (7, 3), True, True)
    """

    points: Float[NDArray, "N 3"]
    landmarks: Float[NDArray, "7 3"]
    index: Int[NDArray, " N"]
    centre: Float[NDArray, " 3"]
    radius: float


def crop_region(landmarks: ArrayLike) -> tuple[Float[NDArray, " 3"], float]:
    """Give centre and radius (mm) of the scored region from the scan's landmarks (7, 3).

    With bridge b = (L1 + L2) / 2: centre L4 + .3 (b - L4), radius 1.4 (|L0 - L3| + |b - L4|) / 2. Landmarks count
    as float32, as the official evaluator reads them; the kept set depends on it far from the origin.

    Example:
        >>> eyes = [[-45, 0, 0], [-15, 0, 0], [15, 0, 0], [45, 0, 0]]
        >>> centre, radius = crop_region([*eyes, [0, -50, 0], [-25, -80, 0], [25, -80, 0]])
        >>> centre.tolist(), round(radius, 4)
        ([0.0, -35.0, 0.0], 98.0)
    """
    points = as_landmarks(landmarks).astype(np.float32)
    bridge = (points[1] + points[2]) / np.float32(2)
    nose = points[4]
    centre = nose + np.float32(CENTRE_FACTOR) * (bridge - nose)
    size = np.linalg.norm(points[0] - points[3]) + np.linalg.norm(bridge - nose)
    return centre, RADIUS_FACTOR * float(size) / 2


def crop_scan(verts: ArrayLike, landmarks: ArrayLike, source: str = "scan") -> NoWScan:
    """Keep the vertices of a scan whose distance to the centre is at most the radius.

    Args:
        verts: (M, 3) mm; faces play no part.
        landmarks: (7, 3) mm of the scan.
        source: what to call the scan in errors.

    Raises:
        MGCError: if coordinates are not finite, landmarks are wrong, or the ball holds no vertex (unlike units).

    Example:
        >>> eyes = [[-45, 0, 0], [-15, 0, 0], [15, 0, 0], [45, 0, 0]]
        >>> landmarks = [*eyes, [0, -50, 0], [-25, -80, 0], [25, -80, 0]]
        >>> crop_scan([[0, 0, 0], [0, -130, 0], [0, 200, 0]], landmarks).index.tolist()
        [0, 1]
    """
    points = np.asarray(verts, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise MGCError(f"{source}: expected finite vertices of shape (n, 3), got {points.shape} or NaN")
    landmarks = as_landmarks(landmarks, f"landmarks of {source}").astype(np.float32)
    centre, radius = crop_region(landmarks)
    index = np.flatnonzero(np.sqrt(((points - centre) ** 2).sum(axis=1)) <= radius)
    if not len(index):
        raise MGCError(
            f"{source}: no vertex within {radius:.3g} of the nose at {centre.tolist()}; "
            "do scan and landmarks share their unit and frame?"
        )
    return NoWScan(np.ascontiguousarray(points[index]), landmarks, index, centre, radius)
