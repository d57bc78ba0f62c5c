"""Weights of the objective's terms."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Weight
from mgc_lightning.losses.schedule import Ramp


@dataclass
class LossWeights(Checked):
    """Weigh the terms. A term of weight 0 is not computed.

    The defaults are MGCNet's published training command, with the paper's epipolar weight, which that command
    sets to 0. Single-view terms are averaged over the views; multi-view terms are summed over the sources, as
    in the paper. Priors are means over the batch, where the official program has sums: its strength at a
    batch of B is B times these.

    Attributes:
        photometric: per unit of colour distance.
        landmark: per square pixel at 224 px.
        identity: per unit of 1 - cosine.
        prior_identity: per squared standard deviation.
        prior_expression: per squared standard deviation.
        prior_albedo: per squared standard deviation.
        pixel: per unit of colour distance.
        depth: per mm. The official residual compared depths of two different cameras, so this published value
            is low for the right one; direct fitting works best near 5e-3.
        epipolar: per pixel at 224 px.
        ssim: per unit of dissimilarity.

    Example:
        >>> weights = LossWeights(ssim=0.1, epipolar=0.0)  # one term more than the paper's, and one less
        >>> weights.photometric, weights.ssim, weights.epipolar
        (1.9, 0.1, 0.0)
    """

    photometric: Weight = 1.9
    landmark: Weight = 1e-3
    identity: Weight = 0.2
    prior_identity: Weight = 1e-4
    prior_expression: Weight = 0.8e-4
    prior_albedo: Weight = 5.1e-7
    pixel: Weight = 0.15
    depth: Weight = 1e-4
    epipolar: Weight = 1e-3
    ssim: Weight = 0.0


@dataclass
class WeightedLoss(Checked):
    """One row of the objective's table of terms: a built-in loss, or one of your own.

    Attributes:
        loss: a `ViewLoss` (one value a view), a `PairLoss` (one value a pair of views), or any module whose
            forward(views: FaceViews, batch: FaceTriplet) gives one value a sample.
        weight: multiplies its mean over the views, its sum over the sources, or its value.
        ramp: changes the weight with the progress of training.

    Example:
        >>> from mgc_lightning.losses import SamePerson
        >>> WeightedLoss(SamePerson(), 0.02, Ramp(start=0.0, until=0.5)).effective(progress=0.25)
        0.01
    """

    loss: nn.Module
    weight: Weight = 1.0
    ramp: Ramp | None = None

    def effective(self, progress: float) -> float:
        """Give the weight at a progress of training in [0, 1]."""
        return self.weight if self.ramp is None else self.weight * self.ramp(progress)
