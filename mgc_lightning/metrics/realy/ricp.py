"""rICP, the regional alignment of REALY: rigid ICP of the whole prediction to one region of the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.metrics.realy.regions import RIGID_KEYPOINT_SHARE, RIGID_KEYPOINTS, Region
from mgc_lightning.metrics.realy.rigid import fit_rigid
from mgc_lightning.metrics.realy.surface import PosedVerts, RigidSurface

MAX_UPDATES = 100
TOLERANCE = 1e-6
"""Change of the mean squared residual that ends the loop, model units squared."""


@dataclass(frozen=True)
class RegionalAlignment:
    """Hold a prediction aligned to one region.

    Attributes:
        posed: the vertices, float32 (float64 if no update was needed), model units, moved from the global alignment.
        fits: rigid fits solved; the last one is not applied.
    """

    posed: PosedVerts
    fits: int

    @property
    def verts(self) -> Float[NDArray, "N 3"]:
        """Vertices of the aligned prediction."""
        return self.posed.now


def align_to_region(
    region: Region,
    verts: Float[NDArray, "N 3"],
    surface: RigidSurface,
    predicted_keypoints: Float[NDArray, "85 3"],
    scan_verts: Float[NDArray, "S 3"],
    scan_keypoints: Float[NDArray, "85 3"],
) -> RegionalAlignment:
    """Align a prediction to a region of the scan, from its global alignment, without scale.

    Correspondences are the closest surface points of all scan vertices, and the region's keypoints, repeated so
    that they weigh as much as the scan (a quarter of it for the cheek). The loop ends when the mean squared
    residual after a fit changes by less than `TOLERANCE`; that fit is not applied.

    Args:
        region: which one.
        verts: (N, 3) float64, globally aligned.
        surface: all triangles of the prediction, at rest at `verts`.
        predicted_keypoints: (85, 3) float64 at `verts`.
        scan_verts: (S, 3) float32, the region as it is in the file.
        scan_keypoints: (85, 3) float32.

    Example:
        The nose of a scan; the prediction is the whole face, a fifth of a unit to the side.

        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.evaluation.realy import load_topology
        >>> model, topology = load_face_model(), load_topology("makehuman")
        >>> face, faces = model.mean.double().numpy() / 9.0, model.faces.numpy()
        >>> nose = face[model.region("nose").numpy()].astype(np.float32)
        >>> keypoints, moved = topology.keypoints(face), face + [0.2, 0.0, 0.0]
        >>> found = align_to_region(
        ...     "nose", moved, RigidSurface(moved, faces), topology.keypoints(moved), nose, keypoints.astype(np.float32)
        ... )
        >>> float(np.abs(found.verts - face).max().round(2))
        0.01
    """
    chosen = list(RIGID_KEYPOINTS[region])
    repeats = int(len(scan_verts) / len(chosen) * RIGID_KEYPOINT_SHARE[region])
    moving_keypoints = np.tile(predicted_keypoints[chosen], (repeats, 1))
    target = np.concatenate([scan_verts, np.tile(scan_keypoints[chosen], (repeats, 1))])
    posed, faces = PosedVerts.at_rest(verts), None
    previous, fits = np.float32(0.0), 0
    while True:
        faces, closest = surface.query(scan_verts, posed, faces)
        source = np.concatenate([closest, moving_keypoints])
        _, R, t = fit_rigid(source, target)
        fits += 1
        residual = ((source @ R.T + t).astype(np.float32) - target) ** 2
        error = residual.sum(axis=1).mean()
        if abs(error - previous) < TOLERANCE or fits > MAX_UPDATES:
            return RegionalAlignment(posed, fits)
        previous = error
        posed = posed.moved(R, t)
        moving_keypoints = (moving_keypoints @ R.T + t).astype(np.float32)
