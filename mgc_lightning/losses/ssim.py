"""Structural dissimilarity over 3x3 windows (the official option; its published weight is 0)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.pairs import ViewPairs
from mgc_lightning.losses.photometric import EPS, masked_mean
from mgc_lightning.losses.terms import PairLoss

C1 = 0.01**2
C2 = 0.03**2


def dissimilarity_map(first: Float[Tensor, "B C H W"], second: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
    """Compute (1 - SSIM) / 2, clipped to [0, 1], over all 3x3 boxes inside the images (h = H - 2, w = W - 2).

    A box, not kornia's Gaussian window, as in Godard et al. 2017.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 3, 8, 8)
        >>> dissimilarity_map(image, image).shape, bool(dissimilarity_map(image, image).max() < 1e-4)
        (torch.Size([1, 3, 6, 6]), True)
    """
    mean_first, mean_second = _box(first), _box(second)
    variance_first = _box(first * first) - mean_first.square()
    variance_second = _box(second * second) - mean_second.square()
    covariance = _box(first * second) - mean_first * mean_second
    numerator = (2 * mean_first * mean_second + C1) * (2 * covariance + C2)
    denominator = (mean_first.square() + mean_second.square() + C1) * (variance_first + variance_second + C2)
    return ((1 - numerator / denominator) / 2).clamp(0, 1)


def ssim_loss(
    synthesised: Float[Tensor, "B 3 H W"],
    target: Float[Tensor, "B 3 H W"],
    mask: Float[Tensor, "B 1 H W"],
    eps: float = EPS,
) -> Float[Tensor, " B"]:
    """Average the dissimilarity over the windows that lie wholly in the mask, per sample.

    Args:
        synthesised: (B, 3, H, W) source image sampled at the target's surface points.
        target: (B, 3, H, W) target image.
        mask: (B, 1, H, W) covisible pixels, binary.
        eps: in the denominator.

    Example:
        >>> import torch
        >>> image, mask = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> bool(ssim_loss(image, image, mask) < ssim_loss(1 - image, image, mask))
        True
    """
    whole = -F.max_pool2d(-mask, kernel_size=3, stride=1)
    return masked_mean(dissimilarity_map(synthesised, target).mean(1, keepdim=True), whole, eps)


class StructuralSimilarity(PairLoss):
    """Compare the structure of each target with that of its synthesis from a source.

    Example:
        >>> import torch
        >>> from mgc_lightning.losses import pair_views, perfect_views
        >>> views, batch = perfect_views()
        >>> images = batch.images
        >>> batch.images = torch.cat([images[:, :2], 1 - images[:, 2:]], dim=1)  # the second source is a negative
        >>> same, negative = StructuralSimilarity()(pair_views(views, batch))
        >>> round(same.item(), 1), round(negative.item(), 1)
        (0.0, 0.3)
    """

    link = 1

    def forward(self, pairs: ViewPairs) -> Float[Tensor, " P"]:
        """Give the dissimilarity of each pair, in [0, 1]."""
        return ssim_loss(pairs.image_synthesised, pairs.image_target, pairs.mask)


def _box(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, kernel_size=3, stride=1)
