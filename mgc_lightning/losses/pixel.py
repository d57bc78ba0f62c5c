"""Pixel consistency of a view and its synthesis from another view (MGCNet sec. 3.2)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.photometric import EPS, masked_mean, photometric_residual


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
    """
    return masked_mean(photometric_residual(synthesised, target, eps=eps), mask, eps)
