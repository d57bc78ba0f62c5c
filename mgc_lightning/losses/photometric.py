"""Skin-weighted photometric loss of a rendered face (MGCNet sec. 3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.terms import ViewLoss
from mgc_lightning.losses.views import SingleViews

EPS = 1e-6


def skin_weight(skin: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Turn skin probabilities into weights: 1 above .5, the probability itself below.

    Example:
        >>> skin_weight(torch.tensor([0.2, 0.6]))
        tensor([0.2000, 1.0000])
    """
    return torch.where(skin > 0.5, torch.ones_like(skin), skin)


def photometric_residual(
    image: Float[Tensor, "B 3 H W"],
    reference: Float[Tensor, "B 3 H W"],
    weight: Float[Tensor, "B 1 H W"] | None = None,
    eps: float = EPS,
) -> Float[Tensor, "B 1 H W"]:
    """Measure the root of |w (image - reference)|^2 + eps over the colours of each pixel.

    Example:
        >>> grey = torch.zeros(1, 3, 1, 1)
        >>> photometric_residual(grey + torch.tensor([0.3, 0.0, 0.4]).view(3, 1, 1), grey)
        tensor([[[[0.5000]]]])
    """
    difference = image - reference if weight is None else weight * (image - reference)
    return (difference.square().sum(1, keepdim=True) + eps).sqrt()


def masked_mean(
    values: Float[Tensor, "B 1 H W"], mask: Float[Tensor, "B 1 H W"], eps: float = EPS
) -> Float[Tensor, " B"]:
    """Average per-pixel values over a mask, sample by sample; 0 where the mask is empty.

    Example:
        >>> values, mask = torch.tensor([[[[2.0, 4.0, 9.0]]]]), torch.tensor([[[[1.0, 1.0, 0.0]]]])
        >>> masked_mean(values, mask)
        tensor([3.0000])
    """
    return (values * mask).flatten(1).sum(1) / (mask.flatten(1).sum(1) + eps)


def photometric_loss(
    image: Float[Tensor, "B 3 H W"],
    reference: Float[Tensor, "B 3 H W"],
    skin: Float[Tensor, "B 1 H W"],
    mask: Float[Tensor, "B 1 H W"],
    eps: float = EPS,
) -> Float[Tensor, " B"]:
    """Compare a composite with its input image over the face: sum m E / (sum w m + eps), per sample.

    Args:
        image: (B, 3, H, W) composite of render and input.
        reference: (B, 3, H, W) input image.
        skin: (B, 1, H, W) weights w in [0, 1].
        mask: (B, 1, H, W) coverage m of the render.
        eps: under the root and in the denominator.

    Example:
        >>> grey, ones = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> brighter = grey + torch.tensor([0.3, 0.0, 0.4]).view(3, 1, 1)
        >>> photometric_loss(brighter, grey, ones, ones)
        tensor([0.5000])
    """
    residual = photometric_residual(image, reference, skin, eps)
    return (residual * mask).flatten(1).sum(1) / ((skin * mask).flatten(1).sum(1) + eps)


class Photometric(ViewLoss):
    """Compare each composite of render and photograph with the photograph, weighed by skin.

    Example:
        >>> from mgc_lightning.losses import perfect_views
        >>> views, batch = perfect_views()
        >>> Photometric()(SingleViews(views, batch)).round(decimals=2)  # the faces explain their photographs
        tensor([0., 0., 0.])
    """

    def forward(self, views: SingleViews) -> Float[Tensor, " N"]:
        """Give the photometric loss of each view, in units of colour."""
        return photometric_loss(views.composite, views.photograph, skin_weight(views.skin), views.mask)
