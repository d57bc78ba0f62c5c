"""Gaussian priors on coefficients (MGCNet sec. 3.3, regularisation)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def gaussian_prior(coefficients: Float[Tensor, "B C"], sigma: Float[Tensor, " C"] | float = 1.0) -> Float[Tensor, " B"]:
    """Sum (x / sigma)^2 over the coefficients of each sample.

    Args:
        coefficients: (B, C) deviations from the mean face.
        sigma: (C,) standard deviations, or 1 for coefficients that are in standard deviations.
    """
    return (coefficients / sigma).square().sum(-1)
