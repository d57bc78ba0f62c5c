"""NME by bins of yaw, as AFLW2000-3D is reported."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from mgc_lightning.metrics.nme import normalized_mean_error

BINS: tuple[tuple[float, float], ...] = ((0.0, 30.0), (30.0, 60.0), (60.0, 90.0))
"""Bins of |yaw| in degrees (Zhu et al., CVPR 2016, sec. 5)."""


class NormalizedMeanErrorByYaw(Metric):
    """Average the NME over 68 points in bins of |yaw|; `mean` is the mean of the bins, as papers report it.

    `all` is the mean over all photographs, which the frontal ones rule. Yaws beyond 90 degrees count in the last bin.

    Example:
        >>> metric = NormalizedMeanErrorByYaw()
        >>> target = torch.tensor([[[0.0, 0.0], [10.0, 10.0]]]).repeat(3, 1, 1)
        >>> metric.update(target + torch.tensor([0.0, 1.0]), target, torch.tensor([5.0, -40.0, 80.0]))
        >>> {name: round(value.item(), 2) for name, value in metric.compute().items()}
        {'0-30': 10.0, '30-60': 10.0, '60-90': 10.0, 'mean': 10.0, 'all': 10.0}
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros(len(BINS), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(BINS), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self, predicted: Float[Tensor, "B P 2"], target: Float[Tensor, "B P 2"], yaw: Float[Tensor, " B"]
    ) -> None:
        """Add samples of landmarks in px, with their true yaw in degrees."""
        errors = normalized_mean_error(predicted, target).double()
        edges = torch.tensor([high for _, high in BINS[:-1]], device=yaw.device, dtype=yaw.dtype)
        # A yaw on an edge belongs to the lower bin.
        place = torch.bucketize(yaw.abs(), edges)
        self.total.index_add_(0, place, errors)
        self.count.index_add_(0, place, torch.ones_like(place))

    def compute(self) -> dict[str, Tensor]:
        """Give the means in percent; NaN for empty bins, and the mean of the bins that have samples."""
        bins = self.total / self.count
        scores = {f"{low:.0f}-{high:.0f}": mean for (low, high), mean in zip(BINS, bins, strict=True)}
        return {**scores, "mean": bins.nanmean(), "all": self.total.sum() / self.count.sum()}
