"""Pixel consistency of a view and its synthesis from another view (MGCNet sec. 3.2)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.pairs import ViewPairs
from mgc_lightning.losses.photometric import EPS, masked_mean, photometric_residual
from mgc_lightning.losses.terms import PairLoss


def pixel_consistency(
    synthesised: Float[Tensor, "B 3 H W"],
    target: Float[Tensor, "B 3 H W"],
    mask: Float[Tensor, "B 1 H W"],
    eps: float = EPS,
) -> Float[Tensor, " B"]:
    """Average the colour distance over covisible pixels: sum M sqrt(|I_st - I_t|^2 + eps) / (sum M + eps).

    Args:
        synthesised: (B, 3, H, W) source image sampled at the target's surface points.
        target: (B, 3, H, W) target image.
        mask: (B, 1, H, W) covisible pixels inside the target's render mask.
        eps: under the root and in the denominator.

    Example:
        >>> import torch
        >>> target, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> pixel_consistency(target + torch.tensor([0.3, 0.0, 0.4]).view(3, 1, 1), target, mask)
        tensor([0.5000])
    """
    return masked_mean(photometric_residual(synthesised, target, eps=eps), mask, eps)


class PixelConsistency(PairLoss):
    """Compare each target with its synthesis from a source of the same moment and light.

    Example:
        >>> import torch
        >>> from mgc_lightning.losses import pair_views, perfect_views
        >>> views, batch = perfect_views()
        >>> grey = torch.tensor([0.5, 0.5, 0.8])  # of each photograph
        >>> batch.images = grey.view(1, 3, 1, 1, 1).expand_as(batch.images)
        >>> PixelConsistency()(pair_views(views, batch)).round(decimals=2)  # .3 in each of three colours
        tensor([0.0000, 0.5200])
    """

    link = 1

    def forward(self, pairs: ViewPairs) -> Float[Tensor, " P"]:
        """Give the colour distance of each pair."""
        return pixel_consistency(pairs.image_synthesised, pairs.image_target, pairs.mask)
