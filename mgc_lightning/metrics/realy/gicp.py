"""gICP, the global alignment of REALY: one similarity from seven keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.metrics.realy.rigid import fit_rigid


@dataclass(frozen=True)
class GlobalAlignment:
    """Hold a prediction in the scan's frame: `verts = scale R v + t`.

    Attributes:
        verts: (N, 3) float64, model units of the scan.
        scale: scan units per unit of the prediction.
        R: (3, 3), determinant -1 where the prediction is mirrored.
        t: (3,) scan units.
    """

    verts: Float[NDArray, "N 3"]
    scale: float
    R: Float[NDArray, "3 3"]
    t: Float[NDArray, " 3"]

    @property
    def reflected(self) -> bool:
        """Whether the prediction had to be mirrored: a sign of swapped keypoints."""
        return bool(np.linalg.det(self.R) < 0)


def align_globally(
    verts: Float[NDArray, "N 3"],
    predicted_keypoints: Float[NDArray, "85 3"],
    scan_keypoints: Float[NDArray, "85 3"],
) -> GlobalAlignment:
    """Move a whole prediction by the similarity between its seven keypoints and the scan's.

    Args:
        verts: (N, 3) float32, any unit and pose.
        predicted_keypoints: (85, 3) float64 on `verts`.
        scan_keypoints: (85, 3) float32, model units.

    Example:
        >>> keypoints = np.random.default_rng(0).normal(size=(85, 3))
        >>> prediction = (keypoints / 9.0 + 1.0).astype(np.float32)  # the same points, in another unit and elsewhere
        >>> found = align_globally(prediction, prediction.astype(np.float64), keypoints.astype(np.float32))
        >>> round(float(found.scale), 3), bool(np.abs(found.verts - keypoints).max() < 1e-5), found.reflected
        (9.0, True, False)
    """
    seven = list(SEVEN_POINTS)
    scale, R, t = fit_rigid(predicted_keypoints[seven], scan_keypoints[seven], with_scale=True)
    # A float32 mesh times a scale stays float32 in the official program.
    moved = (verts.astype(np.float32) * np.float32(scale)).astype(np.float64) @ R.T + t
    return GlobalAlignment(moved, scale, R, t)
