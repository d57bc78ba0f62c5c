"""REALY's rigid solver. It is not Umeyama's: its scale is an L1 ratio and its rotation may reflect."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError


def fit_rigid(
    source: Float[NDArray, "N 3"], target: Float[NDArray, "N 3"], with_scale: bool = False
) -> tuple[float, Float[NDArray, "3 3"], Float[NDArray, " 3"]]:
    """Find s, R, t that bring `source` onto `target`.

    With centred points p and q and `sum q p^T = U S V^T`: R = U V^T, whatever its determinant; s = sum |q| /
    sum |R p| over all coordinates; t is the mean of q - s R p.

    Args:
        source: (N, 3) float64.
        target: (N, 3) float32 or float64. The official program keeps scans in float32, and its means with them;
            so does this one, which is what makes its iteration counts the official ones.
        with_scale: False fixes s = 1.

    Raises:
        MGCError: if a scale is wanted and the source points coincide.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(10, 3))
        >>> s, R, t = fit_rigid(points, 2 * points + 1, with_scale=True)
        >>> round(float(s), 6), t.round(6).tolist()
        (2.0, [1.0, 1.0, 1.0])
    """
    source_columns, target_columns = source.T, target.T
    p = source_columns - source_columns.mean(axis=1)[:, None]
    q = target_columns - target_columns.mean(axis=1)[:, None]
    U, _, Vt = np.linalg.svd(q @ p.T)
    R = U @ Vt
    extent = float(np.abs(R @ p).sum())
    if with_scale and extent == 0.0:
        raise MGCError("The keypoints of the prediction coincide: it has no size that could be fitted to the scan")
    scale = float(np.abs(q).sum()) / extent if with_scale else 1.0
    t = (target_columns - scale * (R @ source_columns)).mean(axis=1)
    return scale, R, t
