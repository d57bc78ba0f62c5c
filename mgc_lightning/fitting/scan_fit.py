"""Fit a face model to a scan: identity, expression and place, by points and by closest points of the surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.fitting.landmark_fit import fit_landmarks3d
from mgc_lightning.geometry.alignment import similarity_fit
from mgc_lightning.geometry.closest_points import ClosestPoints, barycentric_weights
from mgc_lightning.metrics.now.landmarks import INDEX_IN_68
from mgc_lightning.metrics.now.scan import crop_region

if TYPE_CHECKING:
    from mgc_lightning.face_models.face_model import FaceModel

HIDDEN = ("teeth", "mouth_interior")
"""Regions that a scan does not see: never the target of a scan point."""
SLIDE = 0.1
"""Weight of the residual along the surface, beside 1 across it: points may slide, but not drift."""
FADE = 0.5
"""Share of the iterations after which the landmarks' weight and the robust width have come to their last values."""
FIRST_WIDTH = 5.0
"""Robust width at the start, over that at the end: the first steps pull from far."""
FIRST_NOISE = 5.0
"""mm by which the landmarks may be off in the fit to them alone, the start."""
JAW, JAW_WEIGHT = slice(0, 17), 0.1
"""Of 68 points, those of the contour say where it is, and not where along it they are."""


@dataclass(frozen=True)
class ScanFitSettings:
    """Choose what is fitted, and how closely.

    Attributes:
        expression: fit expression too; off, the scan is taken for a neutral face.
        scale: fit the scale too, as NoW does; off where the scan is in mm for certain and its size is to count.
        prior_identity: mm^2 of the mean squared distance that one squared standard deviation of identity costs.
        prior_expression: the same of expression.
        landmarks: weight at the start of the mean squared landmark distance against that of the surface; it falls
            to `landmarks_end`, since points are placed by a few mm and the surface is measured.
        landmarks_end: weight at the end.
        robust: mm; distances well beyond count little (holes, hair, collars, misplaced points).
        iterations: Gauss-Newton steps, each with its closest points.
        points: at most so many scan points, evenly chosen.
        reach: radius of the ball of scan points around the nose that are fitted, in radii of NoW's ball.
    """

    expression: bool = False
    scale: bool = True
    prior_identity: float = 1e-3
    prior_expression: float = 3e-3
    landmarks: float = 1.0
    landmarks_end: float = 0.003
    robust: float = 4.0
    iterations: int = 20
    points: int = 8_000
    reach: float = 1.0


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
    t: Float[NDArray, 3]
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
    problem = _ScanProblem(face_model, scan, target, settings)
    for step in range(settings.iterations):
        problem.step(step / max(settings.iterations - 1, 1))
        if on_step is not None:
            on_step(step + 1, settings.iterations)
    return problem.result(index)


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


class _ScanProblem:
    """The state of a fit: coefficients in standard deviations and the similarity scan = s R x + t."""

    def __init__(
        self,
        face_model: FaceModel,
        scan: Float[NDArray, "M 3"],
        landmarks: Float[NDArray, "L 3"],
        settings: ScanFitSettings,
    ) -> None:
        self.model, self.scan, self.landmarks, self.settings = face_model, scan, landmarks, settings
        self.count = face_model.layout.identity
        basis = face_model.identity_basis.double().cpu()
        prior = [settings.prior_identity] * self.count
        if settings.expression:
            sigma = face_model.expression_sigma.double().cpu()
            basis = torch.cat([basis, face_model.expression_basis.double().cpu() * sigma[:, None, None]])
            prior += [settings.prior_expression] * len(sigma)
        self.basis = basis.permute(1, 2, 0).contiguous().numpy()  # (N, 3, C): a row a vertex
        self.mean = face_model.mean.double().cpu().numpy()
        self.prior = np.array(prior)
        self.faces = face_model.faces_without(*(n for n in HIDDEN if n in face_model.region_names)).cpu().numpy()
        pick = face_model.landmarks7 if len(landmarks) == 7 else face_model.landmarks68
        self.mean_landmarks = pick(face_model.mean.double()).cpu().numpy()
        moved = pick(torch.from_numpy(np.moveaxis(self.basis, -1, 0)).to(face_model.mean.device))
        self.landmark_basis = np.moveaxis(moved.cpu().numpy(), 0, -1)
        self.mark_weight = np.ones(len(landmarks))
        if len(landmarks) == 68:
            self.mark_weight[JAW] = JAW_WEIGHT
        self.mark_weight /= self.mark_weight.sum()
        self.x = np.zeros(len(prior))
        self._start()

    def _start(self) -> None:
        target = torch.from_numpy(self.landmarks)
        if len(self.landmarks) == 68:
            found = fit_landmarks3d(
                self.model,
                target[None].to(self.model.mean.device),
                torch.from_numpy(self.mark_weight * 68).float(),
                noise=FIRST_NOISE,
                with_expression=False,
                with_scale=self.settings.scale,
            )
            self.x[: self.count] = found.identity[0].double().cpu().numpy()
        s, R, t = similarity_fit(torch.from_numpy(self._model_landmarks()), target, with_scale=self.settings.scale)
        self.s, self.R, self.t = float(s), R.numpy(), t.numpy()

    def _model_landmarks(self) -> Float[NDArray, "L 3"]:
        return self.mean_landmarks + self.landmark_basis @ self.x

    def verts(self) -> Float[NDArray, "N 3"]:
        """Give the vertices in the model frame."""
        return self.mean + self.basis @ self.x

    def _local(self, points: Float[NDArray, "K 3"]) -> Float[NDArray, "K 3"]:
        """Bring points of the scan to the model frame."""
        return (points - self.t) @ self.R / self.s

    def step(self, progress: float) -> None:
        """Take one Gauss-Newton step in coefficients and similarity, with the closest points held."""
        s = self.settings
        fade = min(progress / FADE, 1.0)
        width = s.robust * FIRST_WIDTH ** (1 - fade)
        rows, values, scales = self._surface(width)
        marks = self._local(self.landmarks)
        mark_rows = _jacobian(marks, self.landmark_basis)
        away = marks - self._model_landmarks()
        weight = s.landmarks ** (1 - fade) * s.landmarks_end**fade * self.mark_weight
        mark_scales = np.repeat(weight * _robust(np.linalg.norm(away, axis=1), width), 3)
        normal = (rows * scales[:, None]).T @ rows + (mark_rows * mark_scales[:, None]).T @ mark_rows
        right = rows.T @ (scales * values) + mark_rows.T @ (mark_scales * away.reshape(-1))
        size = len(self.x)
        normal[np.arange(size), np.arange(size)] += self.prior
        right[:size] -= self.prior * self.x
        if not s.scale:
            normal[size + 6], normal[:, size + 6], right[size + 6] = 0, 0, 0
            normal[size + 6, size + 6] = 1
        self._move(np.linalg.solve(normal, right))

    def _surface(self, width: float) -> tuple[NDArray, NDArray, NDArray]:
        """Give rows, values and weights of the distances: one across the surface and three along it a point."""
        points = self._local(self.scan)
        verts = self.verts()
        distances, face, closest = ClosestPoints(verts, self.faces).query(points)
        corners = self.faces[face]
        share = barycentric_weights(closest, verts[corners])
        jacobian = _jacobian(points, np.einsum("mk,mkac->mac", share, self.basis[corners])).reshape(len(points), 3, -1)
        normals = _unit(
            np.cross(verts[corners[:, 1]] - verts[corners[:, 0]], verts[corners[:, 2]] - verts[corners[:, 0]])
        )
        # Near an edge the distance runs between the normals of its faces.
        offset = points - closest
        far = distances > 1e-6
        across = np.where(far[:, None], offset / np.maximum(distances, 1e-6)[:, None], normals)
        weight = _robust(distances, width) / len(points)
        rows = np.concatenate([np.einsum("ma,mac->mc", across, jacobian), jacobian.reshape(-1, jacobian.shape[-1])])
        values = np.concatenate([(across * offset).sum(1), offset.reshape(-1)])
        return rows, values, np.concatenate([weight, np.repeat(weight * SLIDE**2, 3)])

    def _move(self, step: Float[NDArray, " P"]) -> None:
        """Apply a step: coefficients, then the small similarity (turn, shift, growth) of the scan's points."""
        size = len(self.x)
        self.x = self.x + step[:size]
        turn, shift, growth = step[size : size + 3], step[size + 3 : size + 6], step[size + 6]
        # The scan's points move x -> x - (turn x x + shift + growth x): fold it into scan = s R x + t.
        Q, scale = _rotation(-turn), float(np.exp(-growth))
        self.R, self.s, self.t = (
            self.R @ Q.T,
            self.s / scale,
            self.t + self.s / scale * self.R @ Q.T @ shift,
        )

    def result(self, index: Int[NDArray, " M"]) -> ScanFit:
        """Give the fit."""
        kind = self.model.mean.dtype
        x = torch.from_numpy(self.x)
        expression = torch.zeros(self.model.layout.expression, dtype=torch.float64)
        if self.settings.expression:
            expression = x[self.count :] * self.model.expression_sigma.double().cpu()
        verts = self.verts()
        distances = ClosestPoints(verts, self.faces).query(self._local(self.scan)).distances
        away = np.linalg.norm(self._local(self.landmarks) - self._model_landmarks(), axis=1)
        return ScanFit(
            identity=x[: self.count].to(kind),
            expression=expression.to(kind),
            verts=torch.from_numpy(verts).to(kind),
            s=self.s,
            R=self.R,
            t=self.t,
            distances=self.s * distances,
            index=index,
            landmark_distances=self.s * away,
        )


def _jacobian(points: Float[NDArray, "K 3"], basis: Float[NDArray, "K 3 C"]) -> Float[NDArray, "R P"]:
    """Differentiate model point minus moved scan point by coefficients, turn, shift and growth: (3 K, C + 7).

    The residual is scan point - model point; a step d is found from J d = residual.
    """
    x, y, z = points.T
    zero = np.zeros_like(x)
    cross = np.stack([[zero, z, -y], [-z, zero, x], [y, -x, zero]]).transpose(2, 0, 1)
    shift = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    rows = np.concatenate([basis, cross, shift, points[:, :, None]], axis=2)
    return rows.reshape(-1, rows.shape[-1])


def _robust(distances: Float[NDArray, " K"], width: float) -> Float[NDArray, " K"]:
    """Weigh squared distances as Geman and McClure do: 1 near zero, 1/4 at the width, next to nothing far away."""
    return 1 / (1 + (distances / width) ** 2) ** 2


def _unit(vectors: Float[NDArray, "M 3"]) -> Float[NDArray, "M 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _rotation(turn: Float[NDArray, 3]) -> Float[NDArray, "3 3"]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(turn).as_matrix()
