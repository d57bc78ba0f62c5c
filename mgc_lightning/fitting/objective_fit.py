"""Fit coefficients to photographs by the training objective, without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from mgc_lightning.coefficients import CoefficientGroup, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.landmark_fit import (
    fit_landmarks2d,
    initial_coefficients,
)
from mgc_lightning.losses.objective import MGCObjective
from mgc_lightning.losses.report import ObjectiveReport
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views
from mgc_lightning.structures import FaceTriplet

GROUPS: tuple[CoefficientGroup, ...] = get_args(CoefficientGroup)


@dataclass(frozen=True)
class StepScales:
    """Give the size of one unit of the optimiser for each kind of coefficient.

    Attributes:
        identity: standard deviations.
        albedo: standard deviations.
        expression: standard deviations of the face model's expression prior.
        rotation: rz, ry, rx in radians.
        translation: tx, ty in mm.
        distance: tz as a fraction of the camera distance.
        light: of every spherical harmonic.

    Example:
        >>> StepScales(rotation=(0.1, 0.1, 0.1)).translation  # smaller turns a step; the rest as it is
        8.0
    """

    identity: float = 1.0
    albedo: float = 1.0
    expression: float = 1.0
    rotation: tuple[float, float, float] = (0.2, 0.4, 0.2)
    translation: float = 8.0
    distance: float = 0.04
    light: float = 0.15


@dataclass
class FitResult:
    """Hold what a fit found.

    Attributes:
        coefficients: (B, V, ...) absolute.
        views: the views that they render to.
        report: the objective at the end.
        history: term name -> its mean at every step; `total` is the mean over the samples.
    """

    coefficients: FaceCoefficients
    views: FaceViews
    report: ObjectiveReport
    history: dict[str, list[float]]


def fit(
    face_model: FaceModel,
    renderer: FaceRenderer,
    objective: MGCObjective,
    batch: FaceTriplet,
    init: FaceCoefficients | None = None,
    free: Sequence[CoefficientGroup] = GROUPS,
    share: Sequence[CoefficientGroup] = (),
    steps: int = 250,
    learning_rate: float = 0.05,
    scales: StepScales | None = None,
    on_step: Callable[[int, ObjectiveReport], None] | None = None,
) -> FitResult:
    """Minimise the objective over the coefficients of every view, all samples at once.

    Samples do not influence each other: each one gets the objective's weights in full, whatever the `link` of
    the others.

    Args:
        face_model: decodes coefficients.
        renderer: draws them.
        objective: its ramps follow the steps.
        batch: B samples of V views.
        init: (B, V, ...) where to start; a fit to the landmarks alone if None.
        free: the groups of coefficients that move.
        share: the groups that all views of a sample have in common, e.g. ("identity",); MGCNet shares none.
        steps: of Adam, with a cosine decay to a tenth of the rate.
        learning_rate: in units of `scales`.
        scales: of the coefficients.
        on_step: called with (step, report) after each step's losses.

    Raises:
        MGCError: if a group is unknown, or a loss is not finite (naming term and samples).

    Example:
        >>> from mgc_lightning import FaceRenderer, LossWeights, MGCObjective, load_face_model, make_triplets
        >>> face_model = load_face_model()
        >>> batch = make_triplets(face_model, 1, image_size=32)
        >>> objective = MGCObjective(LossWeights(identity=0.0))
        >>> found = fit(face_model, FaceRenderer(), objective, batch, share=("identity",), steps=2)
        >>> found.history["total"][-1] < found.history["total"][0]
        True
    """
    _check_groups(free, share)
    image_size = batch.images.shape[-1]
    start = _start(face_model, objective, batch) if init is None else init.map(Tensor.detach)
    units = _units(face_model, start, scales or StepScales())
    offsets = _offsets(start, free, share)
    optimiser = torch.optim.Adam(list(offsets.values()), lr=learning_rate)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1), eta_min=learning_rate / 10)
    history: dict[str, list[float]] = {}

    def evaluate(progress: float) -> tuple[FaceViews, ObjectiveReport, Tensor]:
        moved = {name: getattr(start, name) + offset * units[name] for name, offset in offsets.items()}
        coefficients = FaceCoefficients(**{name: moved.get(name, getattr(start, name)) for name in GROUPS})
        views = render_views(coefficients, face_model, renderer, batch.K, image_size)
        report = objective(views, batch, progress)
        per_sample = sum(report.weights[name] * values for name, values in report.terms.items())
        return views, report, torch.as_tensor(per_sample)

    for step in range(steps):
        _, report, per_sample = evaluate(step / steps)
        _record(history, report, per_sample, batch)
        optimiser.zero_grad()
        per_sample.sum().backward()
        optimiser.step()
        scheduler.step()
        if on_step is not None:
            on_step(step, report)
    with torch.no_grad():
        views, report, per_sample = evaluate(1.0)
    _record(history, report, per_sample, batch)
    return FitResult(views.coefficients, views, report, history)


def _check_groups(free: Sequence[CoefficientGroup], share: Sequence[CoefficientGroup]) -> None:
    unknown = sorted((set(free) | set(share)) - set(GROUPS))
    if unknown or not free:
        raise MGCError(f"`free` and `share` must be some of {', '.join(GROUPS)}; got {', '.join(unknown) or 'none'}")


def _start(face_model: FaceModel, objective: MGCObjective, batch: FaceTriplet) -> FaceCoefficients:
    """Fit the landmarks with the objective's proportions of landmarks and priors."""
    weights = objective.effective_weights(0.0)
    landmark = weights.get("landmark", 0.0)
    if not landmark:
        return initial_coefficients(face_model, batch.K, batch.images.shape[-1])
    trust = batch.landmark_weights
    return fit_landmarks2d(
        face_model,
        batch.landmarks,
        batch.K,
        batch.images.shape[-1],
        objective.landmark_weights if trust is None else objective.landmark_weights * trust,
        weights.get("prior_identity", 0.0) / landmark,
        weights.get("prior_expression", 0.0) / landmark,
    )


def _offsets(
    start: FaceCoefficients, free: Sequence[CoefficientGroup], share: Sequence[CoefficientGroup]
) -> dict[str, Tensor]:
    offsets: dict[str, Tensor] = {}
    for name in free:
        group = getattr(start, name)
        if name in share:
            # One vector for all views: they start at their common mean.
            setattr(start, name, group.mean(1, keepdim=True).expand_as(group))
            group = group[:, :1]
        offsets[name] = torch.zeros_like(group).requires_grad_()
    return offsets


def _units(face_model: FaceModel, start: FaceCoefficients, scales: StepScales) -> dict[str, Tensor]:
    pose = start.pose.new_tensor([*scales.rotation, scales.translation, scales.translation, 0.0])
    pose = pose.expand_as(start.pose).clone()
    pose[..., 5] = scales.distance * start.pose[..., 5]
    return {
        "identity": start.identity.new_tensor(scales.identity),
        "albedo": start.albedo.new_tensor(scales.albedo),
        "expression": scales.expression * face_model.expression_sigma.to(start.expression),
        "pose": pose,
        "light": start.light.new_tensor(scales.light),
    }


def _record(history: dict[str, list[float]], report: ObjectiveReport, per_sample: Tensor, batch: FaceTriplet) -> None:
    if not bool(torch.isfinite(per_sample).all()):
        raise MGCError(f"The fit met values that are not finite: {report.nonfinite(batch.sample_id)}")
    values = {"total": per_sample.detach().mean()} | report.means()
    for name, value in values.items():
        history.setdefault(name, []).append(float(value))
