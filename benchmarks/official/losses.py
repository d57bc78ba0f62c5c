"""The official losses, one number a sample, and how flags combine them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.losses.depth import depth_ratio
from mgc_lightning.losses.landmark import landmark_loss
from mgc_lightning.losses.photometric import EPS, masked_mean, photometric_residual, skin_weight
from mgc_lightning.losses.priors import gaussian_prior
from mgc_lightning.losses.ssim import dissimilarity_map

GREY = (0.2989, 0.587, 0.114)
"""Weights of colours in the official grey; they sum to .9999."""
EXPRESSION_SHARE = 0.8
ALBEDO_SHARE = 0.0017


def official_skin(grey: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Turn a skin image of equal colours in [0, 1] into weights."""
    return skin_weight(grey * sum(GREY))


def official_render_loss(
    image: Float[Tensor, "B 3 H W"],
    reference: Float[Tensor, "B 3 H W"],
    skin: Float[Tensor, "B 1 H W"],
    mask: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, " B"]:
    """Sum the skin-weighted residual over the whole image, background included, by the skin of the face."""
    residual = photometric_residual(image, reference, skin)
    return residual.sum((1, 2, 3)) / ((skin * mask).sum((1, 2, 3)) + EPS)


def official_landmark_loss(
    predicted: Float[Tensor, "B 68 2"], detected: Float[Tensor, "B 68 2"], weights: Float[Tensor, " 68"]
) -> Float[Tensor, ""]:
    """Average over the batch; the library's own landmark loss."""
    return landmark_loss(predicted, detected, weights).mean()


def official_shape_prior(identity: Float[Tensor, "B I"], expression: Float[Tensor, "B E"]) -> Float[Tensor, ""]:
    """Sum over the batch."""
    return (gaussian_prior(identity) + EXPRESSION_SHARE * gaussian_prior(expression)).sum()


def official_albedo_prior(albedo: Float[Tensor, "B A"]) -> Float[Tensor, ""]:
    """Sum over the batch."""
    return ALBEDO_SHARE * gaussian_prior(albedo).sum()


def official_pixel_loss(
    synthesised: Float[Tensor, "B 3 H W"],
    target: Float[Tensor, "B 3 H W"],
    synthesis_mask: Float[Tensor, "B 1 H W"],
    target_mask: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, " B"]:
    """Average the colour distance over the product of the masks."""
    return masked_mean(photometric_residual(synthesised, target), synthesis_mask * target_mask)


def official_ssim_loss(
    synthesised: Float[Tensor, "B 3 H W"],
    target: Float[Tensor, "B 3 H W"],
    synthesis_mask: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, " B"]:
    """Average over all windows and colours the dissimilarity times the window's mean mask."""
    pooled = F.avg_pool2d(synthesis_mask, kernel_size=3, stride=1)
    return (dissimilarity_map(synthesised, target) * pooled).mean((1, 2, 3))


def align_depth(
    depth_target: Float[Tensor, "B 1 H W"],
    depth_sampled: Float[Tensor, "B 1 H W"],
    synthesis_mask: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, "B 1 H W"]:
    """Scale the sampled source depth to the target's masked mean."""
    return depth_sampled * depth_ratio(depth_sampled, depth_target, synthesis_mask)


def official_depth_loss(
    depth_target: Float[Tensor, "B 1 H W"],
    depth_sampled: Float[Tensor, "B 1 H W"],
    synthesis_mask: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, " B"]:
    """Average over all pixels M^2 |r D_s(p_s) - D_t|: depths of two cameras, which differ even when right."""
    aligned = align_depth(depth_target, depth_sampled, synthesis_mask)
    return (synthesis_mask.square() * (aligned - depth_target).abs()).mean((1, 2, 3))


def combine_mean(values: Float[Tensor, " B"], flags: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Average the outer product of errors and flags (pixel, SSIM): mean(error) mean(flag)."""
    return (values[None, :] * flags[:, None]).mean()


def combine_valid(values: Float[Tensor, " B"], flags: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Sum the outer product, divided by the sum of flags (depth, epipolar): the sum of all errors."""
    return (values[None, :] * flags[:, None]).sum() / (flags.sum() + EPS)


def split_flags(link: Float[Tensor, " B"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Give the flag of pixel, SSIM and depth (link >= 1), and that of epipolar (link >= 2)."""
    return torch.clamp(link, 0, 1), torch.clamp(link - 1, 0, 1)
