"""Fit a face model to a scan: identity, expression and place, by points and by closest points of the surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.scan_problem import ScanProblem
from mgc_lightning.fitting.scan_settings import ScanFitSettings
from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.metrics.now.landmarks import INDEX_IN_68
from mgc_lightning.metrics.now.scan import crop_region


@dataclass(frozen=True)
class ScanFit:
    """Hold a face model fitted to a scan: scan = s R x + t for points x of the model frame.

    Attributes:
        identity: (I,) standard deviations.
        expression: (E,) in the face model's units; zero where it was not fitted.
        verts: (N, 3) fitted vertices with expression, model frame.
        s: scale.
        R: (3, 3).
        t: (3,) mm, scan frame.
        distances: (M,) mm from the fitted scan points to the fitted surface, in the scan's size.
        index: (M,) places of these points among the scan's.
        landmark_distances: (7,) or (68,) mm.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> scan = 1.1 * model.mean + torch.tensor([0.0, 0.0, 500.0])  # mm, larger and elsewhere
        >>> fit = fit_scan(model, scan[model.face_mask], model.landmarks7(scan), ScanFitSettings(iterations=5))
        >>> round(fit.s, 2), bool(np.abs(fit.to_scan(fit.verts) - scan.numpy()).max() < 1.0)
        (1.1, True)
    """

    identity: Float[Tensor, " I"]
    expression: Float[Tensor, " E"]
    verts: Float[Tensor, "N 3"]
    s: float
    R: Float[NDArray, "3 3"]
    t: Float[NDArray, " 3"]
    distances: Float[NDArray, " M"]
    index: Int[NDArray, " M"]
    landmark_distances: Float[NDArray, " L"]

    def to_scan(self, points: ArrayLike) -> Float[NDArray, "K 3"]:
        """Move points (K, 3) of the model frame to the scan's."""
        return self.s * np.asarray(points, np.float64) @ self.R.T + self.t


def fit_scan(
    face_model: FaceModel,
    points: ArrayLike,
    landmarks: ArrayLike,
    settings: ScanFitSettings | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> ScanFit:
    """Find the coefficients and the similarity that bring a face model onto a scan, by Gauss-Newton in float64.

    Minimises the mean robust squared distance from the scan's points to the model's surface (across it in full,
    along it a little), plus the weighted mean squared distance of the landmarks and the priors |a|^2 and
    |b / sigma|^2. One direction only, as scan protocols measure: the scan says nothing of what it does not show.
    The start is a fit to the landmarks alone.

    Args:
        face_model: any linear model.
        points: (M, 3) the scan's vertices in mm, any frame; faces play no part.
        landmarks: (7, 3) of NoW, or (68, 3) of iBUG, in the scan's frame.
        settings: of the fit.
        on_step: called with the steps that are done and their number.

    Raises:
        MGCError: if the landmarks are neither, or no point lies around them (unlike units or frames).

    Example:
        >>> from mgc_lightning.face_models import load_face_model
        >>> model = load_face_model("makehuman")
        >>> identity = torch.zeros(model.layout.identity).index_fill_(0, torch.tensor([0, 3]), 1.5)
        >>> scan = model.shape(identity)
        >>> fit = fit_scan(model, scan[model.face_mask], model.landmarks68(scan))
        >>> bool(np.median(fit.distances) < 0.2)
        True
    """
    settings = settings or ScanFitSettings()
    target = _landmarks(landmarks)
    scan, index = _around_the_face(points, target, settings)
    problem = ScanProblem(face_model, scan, target, settings)
    for step in range(settings.iterations):
        problem.step(step / max(settings.iterations - 1, 1))
        if on_step is not None:
            on_step(step + 1, settings.iterations)
    return _result(problem, index)


def _landmarks(landmarks: ArrayLike) -> Float[NDArray, "L 3"]:
    array = landmarks.detach().cpu().numpy() if isinstance(landmarks, Tensor) else np.asarray(landmarks)
    if array.shape not in ((7, 3), (68, 3)) or not np.isfinite(array.astype(np.float64)).all():
        raise MGCError(
            f"Expected NoW's 7 or iBUG's 68 landmarks of the scan, (7, 3) or (68, 3) and finite; got {array.shape}"
        )
    return array.astype(np.float64)


def _around_the_face(
    points: ArrayLike, landmarks: Float[NDArray, "L 3"], settings: ScanFitSettings
) -> tuple[Float[NDArray, "M 3"], Int[NDArray, " M"]]:
    array = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
    if array.ndim != 2 or array.shape[1] != 3:
        raise MGCError(f"Expected scan points (n, 3), got {array.shape}")
    scan = array.astype(np.float64)
    seven = landmarks if len(landmarks) == 7 else landmarks[list(INDEX_IN_68)]
    centre, radius = crop_region(seven)
    near = np.flatnonzero(np.linalg.norm(scan - centre, axis=1) <= settings.reach * radius)
    if len(near) < 100:
        raise MGCError(
            f"Only {len(near)} of {len(scan)} scan points lie within {settings.reach * radius:.4g} mm of the nose; "
            "do scan and landmarks share their unit and frame?"
        )
    if len(near) > settings.points:
        near = near[np.linspace(0, len(near) - 1, settings.points).round().astype(np.int64)]
    return scan[near], near


def _result(problem: ScanProblem, index: Int[NDArray, " M"]) -> ScanFit:
    """Give the fit."""
    kind = problem.model.mean.dtype
    x = torch.from_numpy(problem.x)
    expression = torch.zeros(problem.model.layout.expression, dtype=torch.float64)
    if problem.settings.expression:
        expression = x[problem.count :] * problem.model.expression_sigma.double().cpu()
    verts = problem.verts()
    distances = ClosestPoints(verts, problem.faces).query(problem.local(problem.scan)).distances
    away = np.linalg.norm(problem.local(problem.landmarks) - problem.model_landmarks(), axis=1)
    return ScanFit(
        identity=x[: problem.count].to(kind),
        expression=expression.to(kind),
        verts=torch.from_numpy(verts).to(kind),
        s=problem.s,
        R=problem.R,
        t=problem.t,
        distances=problem.s * distances,
        index=index,
        landmark_distances=problem.s * away,
    )
