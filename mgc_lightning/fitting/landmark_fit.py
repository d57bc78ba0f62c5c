"""Fit a face model to landmarks alone: to those of meshes, and to those of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit
from mgc_lightning.geometry.camera import DEFAULT_FOCAL, REFERENCE_SIZE, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points


def initial_coefficients(face_model: FaceModel, K: Float[Tensor, "*batch 3 3"], image_size: int) -> FaceCoefficients:
    """Give the mean face in the main pose, at the distance that keeps its size for the focal length.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry.camera import intrinsics
        >>> start = initial_coefficients(load_face_model(), intrinsics(224).expand(2, 3, 3, 3), 224)
        >>> start.identity.shape, start.pose.shape
        (torch.Size([2, 3, 80]), torch.Size([2, 3, 6]))
    """
    focal = K[..., 0, 0] * (REFERENCE_SIZE / image_size)
    mean = face_model.mean_coefficients(1)
    start = mean.map(lambda group: group[0].expand(*K.shape[:-2], -1).clone().to(K))
    start.pose[..., 5] = start.pose[..., 5] * focal / DEFAULT_FOCAL
    return start


def fit_landmarks2d(
    face_model: FaceModel,
    landmarks: Float[Tensor, "*batch 68 2"],
    K: Float[Tensor, "*batch 3 3"],
    image_size: int,
    weights: Float[Tensor, "*batch 68"] | Float[Tensor, " 68"] | None = None,
    prior_identity: float = 0.2,
    prior_expression: float = 0.2,
    iterations: int = 30,
) -> FaceCoefficients:
    """Fit pose, identity and expression to the landmarks of photographs, by Levenberg-Marquardt in float64.

    Minimises the mean of w_j |q_j - q*_j|^2 in px at 224 plus the weighted priors |a|^2 and |b / sigma|^2, from
    the mean face in the main pose. Where each view goes is its own business.

    Args:
        face_model: any linear model.
        landmarks: (..., 68, 2) px, iBUG order.
        K: (..., 3, 3) px.
        image_size: side of the image in px.
        weights: (68,) of the landmarks, or (..., 68) of each view's; all 1 if None.
        prior_identity: px^2 per squared standard deviation.
        prior_expression: px^2 per squared standard deviation.
        iterations: steps, taken or refused.

    Returns:
        Coefficients (..., ...) with the mean albedo and flat light.

    Example:
        >>> from mgc_lightning import load_face_model, make_triplets
        >>> face_model = load_face_model()
        >>> batch = make_triplets(face_model, 1, image_size=224)
        >>> found = fit_landmarks2d(face_model, batch.landmarks, batch.K, 224)
        >>> found.pose.shape
        torch.Size([1, 3, 6])
    """
    start = initial_coefficients(face_model, K, image_size)
    batch = landmarks.shape[:-2]
    basis, mean = landmark_basis(face_model)
    pose = start.pose.double().reshape(-1, 6)
    x = torch.cat([pose, pose.new_zeros(len(pose), len(basis))], dim=-1)
    weight = torch.ones_like(mean[:, 0]) if weights is None else weights.to(mean)
    weight = weight.expand(*batch, 68).reshape(-1, 68)
    identity = face_model.layout.identity
    prior = torch.full((len(basis),), prior_identity, dtype=x.dtype, device=x.device)
    prior[identity:] = prior_expression
    problem = _LandmarkProblem(
        mean=mean,
        basis=basis,
        target=landmarks.double().reshape(-1, 68, 2),
        K=K.double().reshape(-1, 3, 3),
        scale=(weight / 68).sqrt()[..., None] * (REFERENCE_SIZE / image_size),
        prior=prior.sqrt(),
    )
    with torch.no_grad():
        x = _levenberg_marquardt(problem, x, iterations).unflatten(0, batch).to(start.pose)
    start.pose, start.identity = x[..., :6], x[..., 6 : 6 + identity]
    start.expression = x[..., 6 + identity :] * face_model.expression_sigma.to(x)
    return start


@dataclass
class _LandmarkProblem:
    """Residuals of B views in the unknowns (pose, coefficients in standard deviations), and their Jacobian."""

    mean: Float[Tensor, "68 3"]
    basis: Float[Tensor, "C 68 3"]
    target: Float[Tensor, "B 68 2"]
    K: Float[Tensor, "B 3 3"]
    scale: Float[Tensor, "B 68 1"]
    prior: Float[Tensor, " C"]

    def residuals(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B R"]:
        """Give the weighted landmark distances, u and v by turns, then the weighted coefficients."""
        uv = project(transform_points(pose_to_transform(x[:, :6]), self._points(x)), self.K)
        return torch.cat([(self.scale * (uv - self.target)).flatten(1), self.prior * x[:, 6:]], dim=-1)

    def jacobian(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B R P"]:
        """Differentiate one point's projection; the shape is linear in its coefficients."""
        by_pose, by_point = projection_jacobians(x[:, :6], self._points(x), self.K)
        by_shape = torch.einsum("bjuk,cjk->bjuc", by_point, self.basis)
        top = (self.scale[..., None] * torch.cat([by_pose, by_shape], dim=-1)).flatten(1, 2)
        bottom = torch.nn.functional.pad(torch.diag(self.prior), (6, 0)).expand(len(x), -1, -1)
        return torch.cat([top, bottom], dim=1)

    def _points(self, x: Tensor) -> Tensor:
        return self.mean + (x[:, 6:] @ self.basis.flatten(1)).unflatten(-1, (-1, 3))


def projection_jacobians(
    pose: Float[Tensor, "B 6"], points: Float[Tensor, "B J 3"], K: Float[Tensor, "B 3 3"]
) -> tuple[Float[Tensor, "B J 2 6"], Float[Tensor, "B J 2 3"]]:
    """Differentiate the projections of points of the model frame, px, by the pose and by the point."""
    one_view = torch.vmap(torch.func.jacfwd(_project_point, argnums=(0, 1)), in_dims=(None, 0, None))
    by_pose, by_point = torch.vmap(one_view)(pose, points, K)
    return by_pose, by_point


def _project_point(pose: Tensor, point: Tensor, K: Tensor) -> Tensor:
    return project(transform_points(pose_to_transform(pose), point[None]), K)[0]


class _LeastSquares(Protocol):
    """Residuals in the unknowns, and their Jacobian."""

    def residuals(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B R"]: ...

    def jacobian(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B R P"]: ...


def _levenberg_marquardt(problem: _LeastSquares, x: Float[Tensor, "B P"], iterations: int) -> Float[Tensor, "B P"]:
    """Minimise |residuals(x)|^2 of each row, with a damping of its own that scales with the curvature.

    Solved by Cholesky in units in which all curvatures are 1. A row whose factor fails gets NaN, is not better, and is
    damped more. (LU of a batch fails on several threads: pytorch issue 142815.)
    """
    damping = torch.full_like(x[:, :1], 1e-2)
    value = problem.residuals(x)
    for _ in range(iterations):
        J = problem.jacobian(x)
        normal = J.mT @ J
        curvature = normal.diagonal(dim1=-2, dim2=-1).clamp(min=1e-12)
        unit = curvature.rsqrt()[..., None]
        gradient = J.mT @ value[..., None]
        factor = torch.linalg.cholesky_ex(unit * normal * unit.mT + torch.diag_embed(damping.expand_as(x)))[0]
        step = (unit * torch.cholesky_solve(unit * gradient, factor))[..., 0]
        tried = problem.residuals(x - step)
        better = (tried.square().sum(-1) < value.square().sum(-1))[:, None]
        x, value = torch.where(better, x - step, x), torch.where(better, tried, value)
        damping = torch.where(better, damping / 5, damping * 5).clamp(1e-9, 1e6)
    return x


def landmark_basis(face_model: FaceModel, with_expression: bool = True) -> tuple[Tensor, Tensor]:
    """Give the landmarks' share of the bases per standard deviation (C, 68, 3) and their mean, in float64."""
    basis = face_model.landmarks68(face_model.identity_basis).double()
    if with_expression:
        sigma = face_model.expression_sigma.double()[:, None, None]
        basis = torch.cat([basis, face_model.landmarks68(face_model.expression_basis).double() * sigma])
    return basis, face_model.landmarks68(face_model.mean).double()


@dataclass
class LandmarkFit:
    """Hold a face model fitted to 3D landmarks: target = s R x + t for points x in the model frame.

    Attributes:
        identity: (B, I) standard deviations.
        expression: (B, E) in the face model's units.
        s: (B,) scale.
        R: (B, 3, 3).
        t: (B, 3).
        residual: (B, 68) distances in the targets' units.
    """

    identity: Float[Tensor, "B I"]
    expression: Float[Tensor, "B E"]
    s: Float[Tensor, " B"]
    R: Float[Tensor, "B 3 3"]
    t: Float[Tensor, "B 3"]
    residual: Float[Tensor, "B 68"]


def fit_landmarks3d(
    face_model: FaceModel,
    landmarks: Float[Tensor, "B 68 3"],
    weights: Float[Tensor, " 68"] | None = None,
    noise: float = 1.0,
    with_expression: bool = True,
    with_scale: bool = True,
    iterations: int = 20,
) -> LandmarkFit:
    """Fit a face model to the 68 landmarks of meshes, alternating a similarity and regularised least squares.

    Minimises sum_j w_j |S_j(a, b) - x_j|^2 / noise^2 + |a|^2 + |b / sigma|^2, where x_j are the landmarks
    brought to the model frame; in float64.

    Args:
        face_model: any linear model.
        landmarks: (B, 68, 3) iBUG order, any frame; mm where `with_scale` is off.
        weights: (68,) of the landmarks, 0 leaves one out; all 1 if None.
        noise: expected error of a landmark in mm; less follows the landmarks closer.
        with_expression: fit expression too.
        with_scale: False where the landmarks are in mm for certain.
        iterations: turns.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> identity = torch.zeros(80)
        >>> identity[0] = 2.0  # a known face, in centimetres
        >>> found = fit_landmarks3d(model, model.landmarks68(model.shape(identity))[None] / 10, noise=0.1)
        >>> round(float(found.s), 2), bool(10 * found.residual.max() < 0.5)  # mm
        (0.1, True)
    """
    target = landmarks.double()
    weight = torch.ones_like(target[0, :, 0]) if weights is None else weights.to(target)
    basis, mean = landmark_basis(face_model, with_expression)
    matrix = (basis * weight[:, None].sqrt()).flatten(1).mT
    normal = matrix.mT @ matrix / noise**2 + torch.eye(len(basis), dtype=target.dtype, device=target.device)
    factor = torch.linalg.cholesky(normal)
    x = target.new_zeros(len(target), len(basis))

    def model_points() -> Tensor:
        return mean + (x @ basis.flatten(1)).unflatten(-1, (-1, 3))

    pull = weight.expand(len(target), -1)
    for _ in range(iterations):
        s, R, t = similarity_fit(model_points(), target, pull, with_scale)
        local = (target - t[:, None]) @ R / s[:, None, None]
        right = ((local - mean) * weight[:, None].sqrt()).flatten(1) @ matrix / noise**2
        x = torch.cholesky_solve(right.mT, factor).mT
    s, R, t = similarity_fit(model_points(), target, pull, with_scale)
    residual = (apply_similarity(model_points(), s, R, t) - target).norm(dim=-1)
    identity, expression = x[:, : face_model.layout.identity], x[:, face_model.layout.identity :]
    if with_expression:
        expression = expression * face_model.expression_sigma.double()
    else:
        expression = x.new_zeros(len(x), face_model.layout.expression)
    kind = landmarks.dtype
    return LandmarkFit(*(value.to(kind) for value in (identity, expression, s, R, t, residual)))
