"""Depth consistency of two views (MGCNet sec. 3.2), compared in one camera's frame."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.pairs import ViewPairs
from mgc_lightning.losses.photometric import EPS, masked_mean
from mgc_lightning.losses.terms import PairLoss


def depth_ratio(
    depth: Float[Tensor, "B 1 H W"], reference: Float[Tensor, "B 1 H W"], mask: Float[Tensor, "B 1 H W"]
) -> Float[Tensor, "B 1 1 1"]:
    """Give the factor that brings the masked mean of `depth` to that of `reference`, per sample.

    Example:
        >>> import torch
        >>> depth, mask = torch.full((1, 1, 8, 8), 600.0), torch.ones(1, 1, 8, 8)
        >>> depth_ratio(depth, 2 * depth, mask).flatten()
        tensor([2.])
    """
    area = mask.sum((1, 2, 3), keepdim=True) + 1
    mean = (mask * depth).sum((1, 2, 3), keepdim=True) / area
    return (mask * reference).sum((1, 2, 3), keepdim=True) / area / (mean + EPS)


def depth_consistency(
    sampled: Float[Tensor, "B 1 H W"],
    transformed: Float[Tensor, "B 1 H W"],
    mask: Float[Tensor, "B 1 H W"],
    scale_free: bool = False,
    eps: float = EPS,
) -> Float[Tensor, " B"]:
    """Average |D_s(p_s) - z(T_source_target X_t)| in mm over covisible pixels.

    Both are depths of the source camera; the depth of the target camera differs by the relative rotation.

    Args:
        sampled: (B, 1, H, W) source depth sampled at the target's surface points, mm.
        transformed: (B, 1, H, W) z of those points in the source camera's frame, mm.
        mask: (B, 1, H, W) covisible pixels.
        scale_free: first scale the sampled depths so that their masked mean agrees.
        eps: in the denominator.

    Example:
        >>> import torch
        >>> depth, mask = torch.full((1, 1, 8, 8), 600.0), torch.ones(1, 1, 8, 8)
        >>> depth_consistency(depth, depth + 2, mask)
        tensor([2.])
    """
    if scale_free:
        sampled = sampled * depth_ratio(sampled, transformed, mask)
    return masked_mean((sampled - transformed).abs(), mask, eps)


class DepthConsistency(PairLoss):
    """Compare each source's depth with that of the target's surface, in the source camera's frame.

    Args:
        scale_free: compare depths up to a factor per pair.

    Example:
        >>> from mgc_lightning.losses import pair_views, perfect_views
        >>> views, batch = perfect_views()
        >>> DepthConsistency()(pair_views(views, batch)).round()  # mm, of both pairs: one face, seen from three sides
        tensor([0., 0.])
    """

    link = 1

    def __init__(self, scale_free: bool = False) -> None:
        super().__init__()
        self.scale_free = scale_free

    def forward(self, pairs: ViewPairs) -> Float[Tensor, " P"]:
        """Give the depth disagreement of each pair, mm."""
        return depth_consistency(pairs.depth_sampled, pairs.depth_transformed, pairs.mask, self.scale_free)
