"""An affine map of a network's outputs, fitted to photographs of people and folded into its last layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.calibration.people import MeasuredPeople
from mgc_lightning.calibration.settings import CalibrateSettings
from mgc_lightning.coefficients import CoefficientLayout
from mgc_lightning.errors import MGCError
from mgc_lightning.networks.calibrated import Calibrated
from mgc_lightning.networks.face_network import FaceNetwork

FOLDS = 5
RIDGE_OF = 200
"""Photographs for which the settings' ridges are given."""


@dataclass(frozen=True)
class AffineMap:
    """Map coefficient vectors: `A x + b`.

    Attributes:
        A: (C, C).
        b: (C,).
    """

    A: Float[Tensor, "C C"]
    b: Float[Tensor, " C"]

    def __call__(self, vectors: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Map vectors."""
        return (vectors.to(self.A) @ self.A.mT + self.b).to(vectors)


def fit_affine(
    people: MeasuredPeople,
    layout: CoefficientLayout,
    expression_sigma: Float[Tensor, " E"],
    settings: CalibrateSettings | None = None,
) -> AffineMap:
    """Fit what brings predictions to measurements, by ridge regression.

    Identity becomes the people's mean plus a linear map of how the prediction differs from the mean prediction; the
    prior of that map is zero, since what was learned elsewhere may not hold. Expression gets a mean correction and a
    linear one in identity: synthetic and real faces differ in both at once. Pose gets a mean correction alone, since
    photographs for this are mostly frontal. Albedo and light stay.

    Example:
        >>> layout = CoefficientLayout(identity=2, albedo=1, expression=1)
        >>> x = torch.randn(300, layout.total, generator=torch.Generator().manual_seed(0))
        >>> y = x.clone()
        >>> y[:, :2] = 0.5 * x[:, :2] + torch.tensor([1.0, 0.0])
        >>> people = MeasuredPeople(x, y, torch.ones(300, dtype=torch.bool), torch.tensor([1.0, 0.0]))
        >>> found = fit_affine(people, layout, torch.ones(1), CalibrateSettings(ridge=1e-3))
        >>> bool(torch.allclose(found(x), y, atol=1e-2))
        True
    """
    chosen = settings or CalibrateSettings()
    x, y = people.predicted.double(), people.measured.double()
    identity, expression, pose = (layout.slices[name] for name in ("identity", "expression", "pose"))
    x_mean, y_mean, share = x.mean(0), y.mean(0), len(x) / RIDGE_OF
    away = (x - x_mean)[:, identity]
    A, b = torch.eye(layout.total, dtype=x.dtype), torch.zeros(layout.total, dtype=x.dtype)

    W = _ridge(away, (y - y_mean)[:, identity], chosen.ridge * share)
    A[identity, identity] = W.mT
    b[identity] = y_mean[identity] - W.mT @ x_mean[identity]

    correction = ((y - x) - (y_mean - x_mean))[:, expression] / expression_sigma.to(x)
    W = _ridge(away, correction, chosen.ridge_expression * share) * expression_sigma.to(x)
    A[expression, identity] = W.mT
    b[expression] = (y_mean - x_mean)[expression] - W.mT @ x_mean[identity]

    b[pose] = (y_mean - x_mean)[pose]
    return AffineMap(A, b)


def unseen_error(
    people: MeasuredPeople,
    layout: CoefficientLayout,
    expression_sigma: Float[Tensor, " E"],
    settings: CalibrateSettings | None = None,
) -> Float[Tensor, "N I"]:
    """Give the identities' errors (N, I) of photographs that the fit had not seen, in standard deviations.

    Faces at rest and others are dealt into folds each from the first, so that sets that list the same people in the
    same order have a person in one fold. The mean about which all were measured is of all.
    """
    fold = torch.cat([torch.arange(int(part.sum())) % FOLDS for part in (people.neutral, ~people.neutral)])
    errors = torch.zeros(len(fold), layout.identity, dtype=torch.float64)
    for number in range(FOLDS):
        held = fold == number
        rest = MeasuredPeople(people.predicted[~held], people.measured[~held], people.neutral[~held], people.mean)
        found = fit_affine(rest, layout, expression_sigma, settings)
        errors[held] = (found(people.predicted[held]) - people.measured[held])[:, layout.slices["identity"]].double()
    return errors


def fold_into(network: FaceNetwork, affine: AffineMap, calibrated: Calibrated) -> FaceNetwork:
    """Give a network whose last layer does what the affine map did to the outputs of the one that is given.

    `x = offset + scale * (W f + c)` is mapped to `A x + b`, which is again of this form.

    Raises:
        MGCError: as `last_layer`.
    """
    network = copy.deepcopy(network)
    last = last_layer(network)
    scale, offset = network.scale.double(), network.offset.double()
    A, b = affine.A.to(scale), affine.b.to(scale)
    mixed = A * scale / scale[:, None]
    with torch.no_grad():
        weight, bias = last.weight.double(), last.bias.double()
        last.bias.copy_(mixed @ bias + (A @ offset + b - offset) / scale)
        last.weight.copy_(mixed @ weight)
    network.calibrated = calibrated
    return network.eval()


def last_layer(network: FaceNetwork) -> nn.Linear:
    """Give the layer that an affine map can be folded into.

    Raises:
        MGCError: if the last layer is not linear, or the output scaling gives a coefficient no scale.
    """
    last = getattr(getattr(network.encoder, "head", None), "linear", None)
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise MGCError("Calibrating needs an encoder whose last layer, `head.linear`, is linear with a bias")
    if not bool((network.scale != 0).all()):
        raise MGCError("The output scaling of this network is 0 for some coefficients: they cannot be calibrated")
    return last


def _ridge(x: Float[Tensor, "N I"], y: Float[Tensor, "N K"], weight: float) -> Float[Tensor, "I K"]:
    gram = x.mT @ x + weight * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(gram, x.mT @ y)
