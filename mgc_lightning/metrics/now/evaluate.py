"""The NoW error of one image: distances from a cropped scan to an aligned and refined prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.metrics.now.landmarks import as_landmarks
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.procrustes import LandmarkAlignment, align_landmarks
from mgc_lightning.metrics.now.refine import Refinement, refine
from mgc_lightning.metrics.now.scan import NoWScan


@dataclass(frozen=True)
class PredictionError:
    """Hold the NoW error of one image.

    Attributes:
        distances: (N,) float64 mm, one for each kept scan vertex, in scan order.
        alignment: the landmark alignment; `alignment.reflected` marks a mirrored fit.
        refinement: the refined similarity on top of it.
        degenerate_faces: faces of the prediction without an area, which are left out.
    """

    distances: Float[NDArray, " N"]
    alignment: LandmarkAlignment
    refinement: Refinement
    degenerate_faces: int

    def to_scan(self, points: ArrayLike) -> Float[NDArray, "N 3"]:
        """Move points (N, 3) of the prediction to where they were scored, in the scan's frame (mm)."""
        aligned = self.alignment(np.asarray(points))
        return self.refinement.s * aligned @ self.refinement.R.T + self.refinement.t


def now_error(
    scan: NoWScan,
    verts: ArrayLike,
    faces: ArrayLike,
    landmarks: ArrayLike,
    unit: Unit | None = None,
    corrected_start: bool = False,
) -> PredictionError:
    """Measure scan-to-mesh distances as the NoW benchmark does.

    Args:
        scan: the subject's cropped scan, see `crop_scan`.
        verts: (N, 3) predicted neutral mesh, any unit.
        faces: (F, 3) vertex indices.
        landmarks: (7, 3) predicted landmarks, same unit and frame as `verts`.
        unit: None for the usual benchmark with a free scale; "mm", "cm" or "m" for the metrical one.
        corrected_start: see `align_landmarks`.

    Raises:
        MGCError: if the mesh is empty or not finite, or the landmarks are not seven different finite points.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.metrics.now import crop_scan
        >>> model = load_face_model()
        >>> verts, landmarks = model.mean.numpy(), model.landmarks7(model.mean).numpy()
        >>> scan = crop_scan(verts + 100.0, landmarks + 100.0)
        >>> error = now_error(scan, verts / 10, model.faces.numpy(), landmarks / 10)  # another unit and place
        >>> bool(np.median(error.distances) < 1e-3), error.alignment.reflected
        (True, False)
    """
    if unit is not None:
        check_choice("unit", unit, Unit)
    verts = np.asarray(verts, dtype=np.float64)
    if verts.ndim != 2 or verts.shape[1:] != (3,):
        raise MGCError(f"Expected predicted vertices of shape (n, 3), got {verts.shape}")
    alignment = align_landmarks(scan.landmarks, as_landmarks(landmarks), unit, corrected_start)
    mesh = ClosestPoints(alignment(verts), faces)
    refinement = refine(mesh, scan.points, scale=unit is None)
    return PredictionError(refinement.distances, alignment, refinement, mesh.dropped)
