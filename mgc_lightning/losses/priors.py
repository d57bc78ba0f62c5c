"""Gaussian priors on coefficients (MGCNet sec. 3.3, regularisation)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import check_choice
from mgc_lightning.losses.terms import ViewLoss
from mgc_lightning.losses.views import SingleViews

PriorGroup = Literal["identity", "expression", "albedo"]
"""Groups of coefficients that are standard deviations from a mean face."""


def gaussian_prior(coefficients: Float[Tensor, "B C"], sigma: Float[Tensor, " C"] | float = 1.0) -> Float[Tensor, " B"]:
    """Sum (x / sigma)^2 over the coefficients of each sample.

    Args:
        coefficients: (B, C) deviations from the mean face.
        sigma: (C,) standard deviations, or 1 for coefficients that are in standard deviations.

    Example:
        >>> import torch
        >>> gaussian_prior(torch.tensor([[1.0, 2.0]]), torch.tensor([1.0, 0.5]))
        tensor([17.])
    """
    return (coefficients / sigma).square().sum(-1)


class Prior(ViewLoss):
    """Hold one group of coefficients near the mean face.

    Args:
        group: `identity`, `expression` or `albedo`.

    Raises:
        MGCError: for another group.

    Example:
        >>> from mgc_lightning.losses import perfect_views
        >>> views, batch = perfect_views()
        >>> views.coefficients.identity[..., 0] = 2.0  # two standard deviations along the first direction
        >>> Prior("identity")(SingleViews(views, batch))
        tensor([4., 4., 4.])
    """

    def __init__(self, group: PriorGroup) -> None:
        super().__init__()
        check_choice("group", group, PriorGroup)
        self.group = group

    def forward(self, views: SingleViews) -> Float[Tensor, " N"]:
        """Give the squared deviation of each view, in squared standard deviations."""
        sigma = views.expression_sigma if self.group == "expression" else 1.0
        return gaussian_prior(getattr(views.coefficients, self.group), sigma)
