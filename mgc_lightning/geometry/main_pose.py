"""The pose that a network's output is added to: the mean face where aligned photographs have their faces."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from mgc_lightning.geometry.camera import DEFAULT_FOCAL, REFERENCE_SIZE
from mgc_lightning.geometry.landmarks68 import FIVE_POINTS, TEMPLATE_5


def fit_main_pose(landmarks68: np.ndarray) -> np.ndarray:
    """Fit the pose under which the mean face's five points land on the alignment template.

    The camera is upright and straight in front (R = diag(1, -1, -1), MGCNet sec. 3.2): only the translation
    is fitted, by least squares in pixels at 224 px and a focal length of 4700 px.

    Args:
        landmarks68: (68, 3) mm, model frame.

    Returns:
        (6,) rz, ry, rx in radians, tx, ty, tz in mm.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(68, 3)) * 30
        >>> fit_main_pose(points).shape
        (6,)
    """
    template = np.array(TEMPLATE_5)
    points = np.stack([landmarks68[group].mean(axis=0) for group in FIVE_POINTS]) * (1.0, -1.0, -1.0)

    def residual(t: np.ndarray) -> np.ndarray:
        camera = points + t
        return (DEFAULT_FOCAL * camera[:, :2] / camera[:, 2:] + REFERENCE_SIZE / 2 - template).ravel()

    spread = np.ptp(points[:, :2], axis=0).sum() / np.ptp(template, axis=0).sum()
    start = np.array([*-points[:, :2].mean(axis=0), DEFAULT_FOCAL * spread - points[:, 2].mean()])
    solution = least_squares(residual, start, x_scale=(1.0, 1.0, 100.0), xtol=1e-12, ftol=1e-12)
    return np.array([0.0, 0.0, np.pi, *solution.x])
