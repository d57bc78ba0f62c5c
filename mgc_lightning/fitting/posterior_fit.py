"""Bring what a network predicts to the landmarks of the photographs: the most probable face, given both.

The network's prediction is a Gaussian prior, as wide as its errors are; landmarks are measurements, as noisy as
detectors are. Identity is one for all views of a sample; expression and pose are each view's own. Eliminating the views
(the Schur complement of bundle adjustment; Triggs et al., Bundle Adjustment, 2000, sec. 6.1) makes many views cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.landmark_fit import projection_jacobians
from mgc_lightning.fitting.measured_points import MeasuredPoints
from mgc_lightning.geometry.camera import REFERENCE_SIZE, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points


@dataclass(frozen=True)
class PredictionErrors:
    """Say how far a network's predictions are off: standard deviations.

    Attributes:
        identity: of each coefficient, which is in standard deviations of people.
        expression: of each coefficient, in its own standard deviations.
        rotation: radians about each axis.
        translation: tx, ty in mm.
        distance: tz as a fraction.
        carried: share of the predicted identity that is the mean of the prior.
        independent: several views' identities are independent guesses of one, so that their mean is off by less.
    """

    identity: float = 0.8
    expression: float = 0.4
    rotation: float = 0.08
    translation: float = 4.0
    distance: float = 0.03
    carried: float = 1.0
    independent: bool = True


ROBUST = 3.0
"""Standard deviations of a landmark's error at which it counts a quarter (Geman and McClure's weight)."""
HELD = 1e-6
"""Standard deviation of an identity that is held."""
ROUNDS = 3
"""Times that the weights of outliers are found anew."""


def fit_posterior(
    face_model: FaceModel,
    prediction: FaceCoefficients,
    landmarks: Float[Tensor, "B V P 2"],
    K: Float[Tensor, "B V 3 3"],
    image_size: int,
    *,
    trust: Float[Tensor, "B V P"] | None = None,
    points: MeasuredPoints | None = None,
    prediction_errors: PredictionErrors | None = None,
    hold_identity: bool = False,
    iterations: int = 6,
) -> FaceCoefficients:
    """Find the most probable identity, expressions and poses, given predictions and landmarks.

    Minimises, by Levenberg-Marquardt in float64, the landmarks' squared distances in their standard deviations plus the
    squared distances from the prediction in its own. Landmarks far beyond their standard deviation (hidden, wrong)
    count little.

    Args:
        face_model: any linear model.
        prediction: (B, V, ...) absolute. The mean of several views' identities is the prior.
        landmarks: (B, V, P, 2) px: where `points` are seen.
        K: (B, V, 3, 3) px.
        image_size: side of the images in px.
        trust: in [0, 1], how far each landmark counts; 1 if None.
        points: of the face model that the landmarks are, and how far off they are; iBUG's 68 if None.
        prediction_errors: of the prediction.
        hold_identity: keep the prediction's identity: expression and pose follow alone.
        iterations: steps a round, taken or refused.

    Returns:
        Coefficients as `prediction`; albedo and light are the prediction's.

    Raises:
        MGCError: if there are not as many landmarks as points.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.losses import perfect_views
        >>> views, batch = perfect_views(image_size=96)
        >>> predicted = views.coefficients.map(torch.clone)
        >>> predicted.pose[..., 1] += 0.1  # radians: a prediction that turns every head too far
        >>> found = fit_posterior(load_face_model(), predicted, batch.landmarks, batch.K, 96)
        >>> (found.pose - views.coefficients.pose)[0, :, 1].round(decimals=2)  # the landmarks turn them back
        tensor([0.0200, 0.0200, 0.0200])
    """
    marks, errors = points or MeasuredPoints.landmarks(face_model), prediction_errors or PredictionErrors()
    if landmarks.shape[-2] != len(marks.mean):
        raise MGCError(f"{landmarks.shape[-2]} landmarks are to be {len(marks.mean)} points of the face model")
    if hold_identity:
        errors = replace(errors, identity=HELD, carried=1.0)
    problem = _Posterior.of(face_model, prediction, landmarks, K, image_size, marks, errors)
    if trust is not None:
        problem = replace(problem, scale=problem.scale * trust.to(problem.scale).sqrt()[..., None])
    state = problem.prior
    with torch.no_grad():
        weights = torch.ones_like(problem.scale)
        for _ in range(ROUNDS):
            state = _minimise(replace(problem, scale=problem.scale * weights.sqrt()), state, iterations)
            away = (problem.scale * (problem.pixels(state) - problem.target)).norm(dim=-1, keepdim=True)
            weights = 1 / (1 + (away / ROBUST).square()).square()
    kind = prediction.pose
    return replace(
        prediction,
        identity=state.identity[:, None].expand_as(prediction.identity).to(kind),
        pose=state.view[..., :6].to(kind),
        expression=(state.view[..., 6:] * face_model.expression_sigma.double()).to(kind),
    )


@dataclass(frozen=True)
class _State:
    """Identity (B, I), and pose and expression (B, V, 6 + E) in standard deviations of expressions."""

    identity: Float[Tensor, "B I"]
    view: Float[Tensor, "B V P"]


@dataclass(frozen=True)
class _Posterior:
    mean: Float[Tensor, "N 3"]
    identity_basis: Float[Tensor, "I N 3"]
    expression_basis: Float[Tensor, "E N 3"]
    target: Float[Tensor, "B V N 2"]
    K: Float[Tensor, "B V 3 3"]
    scale: Float[Tensor, "B V N 1"]
    prior: _State
    identity_scale: float
    view_scale: Float[Tensor, "B V P"]

    @classmethod
    def of(
        cls,
        face_model: FaceModel,
        prediction: FaceCoefficients,
        landmarks: Tensor,
        K: Tensor,
        image_size: int,
        marks: MeasuredPoints,
        errors: PredictionErrors,
    ) -> _Posterior:
        mean, basis, sigma = marks.mean, marks.basis, marks.sigma * (image_size / REFERENCE_SIZE)
        count, views = face_model.layout.identity, landmarks.shape[1]
        pose = prediction.pose.double()
        expression = prediction.expression.double() / face_model.expression_sigma.double()
        spread = torch.cat([torch.full_like(pose, errors.rotation), torch.full_like(expression, errors.expression)], -1)
        spread[..., 3:5] = errors.translation
        spread[..., 5] = errors.distance * pose[..., 5].abs()
        return cls(
            mean=mean,
            identity_basis=basis[:count],
            expression_basis=basis[count:],
            target=landmarks.to(mean),
            K=K.to(mean),
            scale=(1 / sigma)[:, None].expand(*landmarks.shape[:3], 1),
            prior=_State(errors.carried * prediction.identity.double().mean(1), torch.cat([pose, expression], dim=-1)),
            identity_scale=(views**0.5 if errors.independent else 1.0) / errors.identity,
            view_scale=1 / spread,
        )

    def points(self, state: _State) -> Float[Tensor, "B V N 3"]:
        """Give the landmarks on the model, model frame."""
        own = (state.identity @ self.identity_basis.flatten(1))[:, None]
        return self.mean + (own + state.view[..., 6:] @ self.expression_basis.flatten(1)).unflatten(-1, (-1, 3))

    def pixels(self, state: _State) -> Float[Tensor, "B V N 2"]:
        """Give the landmarks in the images, px."""
        return project(transform_points(pose_to_transform(state.view[..., :6]), self.points(state)), self.K)

    def value(self, state: _State) -> Float[Tensor, " B"]:
        """Give minus twice the logarithm of the probability, up to a constant."""
        marks = (self.scale * (self.pixels(state) - self.target)).square().sum((1, 2, 3))
        identity = (self.identity_scale * (state.identity - self.prior.identity)).square().sum(1)
        return marks + identity + (self.view_scale * (state.view - self.prior.view)).square().sum((1, 2))

    def jacobians(self, state: _State) -> tuple[Float[Tensor, "B V R I"], Float[Tensor, "B V R P"]]:
        """Differentiate the scaled pixels by identity, and by pose and expression."""
        batch = state.view.shape[:2]
        pose, points = state.view[..., :6].flatten(0, 1), self.points(state).flatten(0, 1)
        by_pose, by_point = projection_jacobians(pose, points, self.K.flatten(0, 1))
        scale = self.scale.flatten(0, 1)[..., None]
        by_identity = torch.einsum("njuk,cjk->njuc", by_point, self.identity_basis)
        by_expression = torch.einsum("njuk,cjk->njuc", by_point, self.expression_basis)
        views = scale * torch.cat([by_pose, by_expression], dim=-1)
        return ((scale * by_identity).flatten(1, 2).unflatten(0, batch), views.flatten(1, 2).unflatten(0, batch))


def _minimise(problem: _Posterior, state: _State, iterations: int) -> _State:
    """Take damped Gauss-Newton steps; every sample has a damping of its own."""
    damping = torch.full_like(state.identity[:, :1], 1e-3)
    value = problem.value(state)
    for _ in range(iterations):
        step = _step(problem, state, damping)
        tried = _State(state.identity - step.identity, state.view - step.view)
        reached = problem.value(tried)
        better = (reached < value)[:, None]
        state = _State(
            torch.where(better, tried.identity, state.identity),
            torch.where(better[..., None], tried.view, state.view),
        )
        value = torch.where(better[:, 0], reached, value)
        damping = torch.where(better, damping / 5, damping * 5).clamp(1e-9, 1e6)
    return state


def _step(problem: _Posterior, state: _State, damping: Float[Tensor, "B 1"]) -> _State:
    """Solve the normal equations: the views are eliminated, identity is found, the views follow."""
    A, C = problem.jacobians(state)
    away = (problem.scale * (problem.pixels(state) - problem.target)).flatten(2)[..., None]
    of_identity, of_view = problem.identity_scale**2, problem.view_scale.square()
    g = (A.mT @ away).sum(1)[..., 0] + of_identity * (state.identity - problem.prior.identity)
    h = (C.mT @ away)[..., 0] + of_view * (state.view - problem.prior.view)
    # The priors' precisions damp as they are: all unknowns have them, in their own units.
    G = (A.mT @ A).sum(1) + torch.diag_embed(of_identity * (1 + damping).expand_as(g))
    H = C.mT @ C + torch.diag_embed(of_view * (1 + damping[:, None]))
    mixed = A.mT @ C
    factor = torch.linalg.cholesky(H)
    eliminated = torch.cholesky_solve(mixed.mT, factor)
    schur = torch.linalg.cholesky(G - (mixed @ eliminated).sum(1))
    right = g - (mixed @ torch.cholesky_solve(h[..., None], factor)).sum(1)[..., 0]
    identity = torch.cholesky_solve(right[..., None], schur)[..., 0]
    rest = h[..., None] - mixed.mT @ identity[:, None, :, None]
    return _State(identity, torch.cholesky_solve(rest, factor)[..., 0])
