"""Whether 68 points are iBUG's: their proportions on a frontal face, held against those of annotated faces."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

OUTER_EYES = (36, 45)

IBUG_PROPORTIONS: Mapping[str, tuple[float, float]] = {
    "lip_49_53": (0.36, 0.46),
    "lip_50_52": (0.68, 0.78),
    "lip_55_59": (0.32, 0.42),
    "lip_56_58": (0.63, 0.73),
    "nose_width": (27.0, 31.0),
    "nose_height": (3.0, 5.0),
    "brow_width": (110.0, 131.0),
    "brow_height": (16.0, 24.0),
}
"""Bounds of what `landmark_proportions` gives for a mean face.

Lips: .05 around the mean face of the 300-W annotations. Nose: between that face (30.4, 3.1) and a mean of frontal
photographs (27.2, 4.6). Brows: annotations and placements on scans differ more, from 110 / 22 (300-W) through 119 / 18
to 131 / 20 (ICT-FaceKit).
"""


def frontal_frame(points: Float[NDArray, "*batch 68 D"]) -> Float[NDArray, "*batch 68 2"]:
    """Express upright frontal points in % of the distance of the outer eye corners, these level, y down.

    Args:
        points: (..., 68, 2 or 3) of a face in the model frame (y up); depth plays no part.

    Example:
        >>> points = np.zeros((68, 2))
        >>> points[36], points[45], points[8] = [10, 5], [14, 5], [12, 1]
        >>> frontal_frame(points)[[45, 8]].tolist()
        [[50.0, 0.0], [0.0, 100.0]]
    """
    flat = np.asarray(points, dtype=np.float64)[..., :2]
    right, left = flat[..., [OUTER_EYES[0]], :], flat[..., [OUTER_EYES[1]], :]
    across = left - right
    width = np.linalg.norm(across, axis=-1, keepdims=True)
    across = across / width
    down = np.stack([across[..., 1], -across[..., 0]], axis=-1)
    relative = (flat - (right + left) / 2) * (100 / width)
    return np.stack([(relative * across).sum(-1), (relative * down).sum(-1)], axis=-1)


def landmark_proportions(points: Float[NDArray, "*batch 68 D"]) -> dict[str, Float[NDArray, "*batch"]]:
    """Measure what tells iBUG's points from others on upright frontal faces.

    Lips: where the outer points lie between the mouth's corner (0) and its middle (1), the mean of both sides. Nose:
    distance of 31 and 35, and how far they lie above 33; brows: distance of 17 and 26, and how far they lie above the
    outer eye corners; all in % of the distance of the outer eye corners.

    Args:
        points: (..., 68, 2 or 3) in the model frame (y up).

    Example:
        >>> from mgc_lightning.face_models import load_face_model
        >>> model = load_face_model("makehuman")
        >>> found = landmark_proportions(model.landmarks68(model.mean).numpy())
        >>> {name: round(float(found[name]), 2) for name in ("lip_49_53", "lip_50_52")}
        {'lip_49_53': 0.41, 'lip_50_52': 0.73}
    """
    face = frontal_frame(points)
    x, y = face[..., 0], face[..., 1]
    middle = (x[..., 48] + x[..., 54]) / 2

    def share(right: int, left: int) -> np.ndarray | np.floating:
        of_right = (x[..., right] - x[..., 48]) / (middle - x[..., 48])
        of_left = (x[..., left] - x[..., 54]) / (middle - x[..., 54])
        return (of_right + of_left) / 2

    proportions = {
        "lip_49_53": share(49, 53),
        "lip_50_52": share(50, 52),
        "lip_55_59": share(59, 55),
        "lip_56_58": share(58, 56),
        "nose_width": x[..., 35] - x[..., 31],
        "nose_height": y[..., 33] - (y[..., 31] + y[..., 35]) / 2,
        "brow_width": x[..., 26] - x[..., 17],
        "brow_height": -(y[..., 17] + y[..., 26]) / 2,
    }
    # Of one face numpy gives scalars.
    return {name: np.asarray(value) for name, value in proportions.items()}


def departures(points: Float[NDArray, "68 D"]) -> list[str]:
    """Say which proportions of a mean face's points are not iBUG's, one line each; empty where all are.

    Example:
        >>> from mgc_lightning.face_models import load_face_model
        >>> model = load_face_model("makehuman")
        >>> departures(model.landmarks68(model.mean).numpy())
        []
    """
    return [
        f"{name} is {float(value):.3g}, iBUG's {IBUG_PROPORTIONS[name][0]:g} to {IBUG_PROPORTIONS[name][1]:g}"
        for name, value in landmark_proportions(points).items()
        if not IBUG_PROPORTIONS[name][0] <= value <= IBUG_PROPORTIONS[name][1]
    ]
