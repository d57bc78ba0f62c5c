"""Alignment of a prediction to a scan by their seven landmarks, as NoW defines it: reflections are allowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import check_choice
from mgc_lightning.metrics.now.landmarks import as_landmarks
from mgc_lightning.metrics.now.names import UNIT_TO_MM, Unit


@dataclass(frozen=True)
class LandmarkAlignment:
    """Hold y -> scale y @ rotation + translation, rows to rows.

    Attributes:
        rotation: (3, 3) orthogonal, applied from the right.
        scale: mm per unit of the prediction.
        translation: (3,) mm.
        reflected: whether det(rotation) < 0, which swapped landmarks cause: the face is scored mirrored.

    Example:
        >>> found = LandmarkAlignment(np.eye(3), scale=1000.0, translation=np.array([0.0, 0.0, 5.0]), reflected=False)
        >>> found(np.array([[0.1, 0.0, 0.0]])).tolist()  # from metres to mm, and 5 mm on
        [[100.0, 0.0, 5.0]]
    """

    rotation: Float[NDArray, "3 3"]
    scale: float
    translation: Float[NDArray, " 3"]
    reflected: bool

    def __call__(self, points: Float[NDArray, "N 3"]) -> Float[NDArray, "N 3"]:
        """Move points (N, 3) of the prediction into the scan's frame, float64."""
        moved = self.scale * (np.asarray(points, dtype=np.float64) @ self.rotation.astype(np.float64))
        return moved + self.translation


def align_landmarks(
    scan_landmarks: Float[NDArray, "7 3"],
    landmarks: Float[NDArray, "7 3"],
    unit: Unit | None = None,
    corrected_start: bool = False,
) -> LandmarkAlignment:
    """Fit the prediction's landmarks to the scan's by orthogonal Procrustes analysis.

    The types are kept, so two float32 arrays are fitted in float32, as the official evaluator does.

    Args:
        scan_landmarks: (7, 3) mm.
        landmarks: (7, 3) of the prediction.
        unit: None fits a scale (the usual benchmark); "mm", "cm" or "m" fixes it (metrical benchmark).
        corrected_start: metrical only: take the translation from the fixed scale. The official evaluator takes it
            from the fitted one, which starts a prediction far from its own origin centimetres off.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(7, 3))
        >>> found = align_landmarks(10 * points + 3, points)
        >>> round(float(found.scale), 6), found.reflected, bool(np.allclose(found(points), 10 * points + 3))
        (10.0, False, True)
    """
    if unit is not None:
        check_choice("unit", unit, Unit)
    target = as_landmarks(scan_landmarks, "scan landmarks")
    source = as_landmarks(landmarks, "predicted landmarks")
    target_mean, source_mean = target.mean(axis=0), source.mean(axis=0)
    target, source = target - target_mean, source - source_mean
    target_size, source_size = np.sqrt((target**2).sum()), np.sqrt((source**2).sum())
    u, singular, vt = np.linalg.svd(_product((target / target_size).T, source / source_size))
    rotation = _product(vt.T, u.T)
    fitted = singular.sum() * target_size / source_size
    scale = fitted if unit is None else UNIT_TO_MM[unit]
    start_scale = scale if corrected_start else fitted
    translation = target_mean - start_scale * _product(source_mean[None], rotation)[0]
    reflected = bool(np.linalg.det(rotation.astype(np.float64)) < 0)
    return LandmarkAlignment(rotation, float(scale), translation, reflected)


def _product(a: Float[NDArray, "I K"], b: Float[NDArray, "K J"]) -> Float[NDArray, "I J"]:
    """Multiply matrices term after term, rounding each; the same bits on every machine, unlike a BLAS.

    In float32 the last bits of the alignment are felt at 1e-5 mm in the distances.
    """
    total = a[:, :1] * b[:1]
    for k in range(1, len(b)):
        total = total + a[:, k, None] * b[k]
    return total
