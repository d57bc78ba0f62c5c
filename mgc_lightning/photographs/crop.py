"""Aligned crops: the similarity that brings five points of a face onto MGCNet's template, and its warp."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.geometry.landmarks68 import FIVE_POINTS, TEMPLATE_5
from mgc_lightning.geometry.view_synthesis import Padding
from mgc_lightning.photographs.settings import CROP_SIZE


def template(size: int = CROP_SIZE, device: torch.device | None = None) -> Float[Tensor, "5 2"]:
    """Give the five template points in pixels of a `size` px crop.

    Example:
        >>> template(224).round().tolist()
        [[82.0, 88.0], [142.0, 88.0], [112.0, 133.0], [87.0, 154.0], [136.0, 154.0]]
    """
    return torch.tensor(TEMPLATE_5, dtype=torch.float32, device=device) * (size / CROP_SIZE)


def five_points(landmarks68: Float[Tensor, "*batch 68 D"]) -> Float[Tensor, "*batch 5 D"]:
    """Reduce 68 landmarks to the two eye centres, the nose base and the two mouth corners.

    Works on pixels and on model points alike.

    Args:
        landmarks68: (..., 68, D) iBUG order.

    Raises:
        MGCError: if there are not 68 points.

    Example:
        >>> points = torch.arange(68.0)[:, None].expand(-1, 2)
        >>> five_points(points)[:, 0].tolist()
        [38.5, 44.5, 33.0, 48.0, 54.0]
    """
    if landmarks68.ndim < 2 or landmarks68.shape[-2] != 68:
        raise MGCError(f"Expected 68 landmarks (..., 68, D), got a tensor of shape {tuple(landmarks68.shape)}")
    return torch.stack([landmarks68[..., group, :].mean(-2) for group in FIVE_POINTS], dim=-2)


def fit_similarity_2d(
    source: Float[Tensor, "*batch N 2"], target: Float[Tensor, "*batch N 2"]
) -> Float[Tensor, "*batch 2 3"]:
    """Find the least-squares similarity `target = s R source + t` of the plane, without reflection.

    In the plane Umeyama's solution is one complex division: with centred points as complex numbers p and q,
    `s exp(i angle) = sum(conj(p) q) / sum(|p|^2)`. Differentiable; NaN where the source points coincide.

    Example:
        >>> points = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
        >>> fit_similarity_2d(points, 3 * points + 1).round(decimals=4).abs().tolist()
        [[3.0, 0.0, 1.0], [0.0, 3.0, 1.0]]
    """
    source_mean, target_mean = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    p, q = source - source_mean, target - target_mean
    spread = p.square().sum((-1, -2))
    cosine = (p * q).sum((-1, -2)) / spread
    sine = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(-1) / spread
    linear = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    shift = target_mean - source_mean @ linear.mT
    return torch.cat([linear, shift.mT], dim=-1)


def similarity_to_template(points5: Float[Tensor, "*batch 5 2"], size: int = CROP_SIZE) -> Float[Tensor, "*batch 2 3"]:
    """Find the similarity from image pixels to pixels of the aligned crop (the standard pose of MGCNet).

    Args:
        points5: (..., 5, 2) px, as `five_points` orders them.
        size: side of the crop in px.

    Returns:
        (..., 2, 3) matrix M, `crop = M [u, v, 1]`, pixel centres at +.5 in both.

    Raises:
        MGCError: if there are not five points, or they coincide or are not finite.

    Example:
        >>> M = similarity_to_template(2 * template(224) + 30)  # a face twice as large, moved by 30 px
        >>> round(similarity_scale(M).item(), 4), M[:, 2].round(decimals=3).tolist()
        (0.5, [-15.0, -15.0])
    """
    if points5.shape[-2:] != (5, 2):
        raise MGCError(f"Expected five points (..., 5, 2): eyes, nose base, mouth corners; got {tuple(points5.shape)}")
    spread = (points5 - points5.mean(-2, keepdim=True)).square().sum((-1, -2))
    if not bool((spread > 1e-12).all()):
        raise MGCError("Cannot align a face: its five points coincide or are not finite")
    target = template(size, points5.device).to(points5.dtype)
    return fit_similarity_2d(points5, target.expand_as(points5))


def transform_points2d(
    matrix: Float[Tensor, "*batch 2 3"], points: Float[Tensor, "*batch N 2"]
) -> Float[Tensor, "*batch N 2"]:
    """Map points (..., N, 2) px by a 2x3 matrix.

    Example:
        >>> M = torch.tensor([[0.5, 0.0, 10.0], [0.0, 0.5, 20.0]])
        >>> transform_points2d(M, torch.tensor([[100.0, 60.0]])).tolist()
        [[60.0, 50.0]]
    """
    return points @ matrix[..., :2].mT + matrix[..., None, :, 2]


def invert_similarity(matrix: Float[Tensor, "*batch 2 3"]) -> Float[Tensor, "*batch 2 3"]:
    """Invert a plane similarity: crop pixels back to image pixels.

    Example:
        >>> M = torch.tensor([[0.5, 0.0, 10.0], [0.0, 0.5, 20.0]])
        >>> transform_points2d(invert_similarity(M), torch.tensor([[60.0, 50.0]])).tolist()
        [[100.0, 60.0]]
    """
    linear, shift = matrix[..., :2], matrix[..., 2:]
    scale_squared = linear[..., :, :1].square().sum((-1, -2), keepdim=True)
    inverse = linear.mT / scale_squared
    return torch.cat([inverse, -inverse @ shift], dim=-1)


def similarity_scale(matrix: Float[Tensor, "*batch 2 3"]) -> Float[Tensor, "*batch"]:
    """Give the scale of a plane similarity: crop pixels per image pixel.

    Example:
        >>> similarity_scale(torch.tensor([[0.0, -0.5, 10.0], [0.5, 0.0, 20.0]])).item()
        0.5
    """
    return matrix[..., 0].square().sum(-1).sqrt()


def warp_to_crop(
    image: Float[Tensor, "B C H W"],
    matrix: Float[Tensor, "B 2 3"],
    size: int = CROP_SIZE,
    *,
    padding: Padding = "border",
    antialias: bool = False,
) -> Float[Tensor, "B C S S"]:
    """Resample images into crops: bilinear, the border replicated.

    Args:
        image: (B, C, H, W).
        matrix: (B, 2, 3) image px -> crop px, as `similarity_to_template` gives it.
        size: side of the crop in px.
        padding: what lies outside the image.
        antialias: shrink the image first where the crop is less than half its scale, which bilinear sampling
            would alias. Off, this is MGCNet's plain bilinear warp.

    Raises:
        MGCError: if there is no such padding.

    Example:
        >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> shifted = torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]])
        >>> warp_to_crop(image, shifted, size=2)[0, 0].tolist()
        [[5.0, 6.0], [9.0, 10.0]]
    """
    check_choice("padding", padding, Padding)
    height, width = image.shape[-2:]
    axis = torch.arange(size, device=image.device, dtype=image.dtype) + 0.5
    centres = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(1, -1, 2)
    inverse = invert_similarity(matrix.to(image.dtype))
    pixels = transform_points2d(inverse, centres.expand(len(image), -1, -1))
    grid = pixels / pixels.new_tensor([width, height]) * 2 - 1
    grid = grid.reshape(len(image), size, size, 2)
    if antialias:
        image = _shrink(image, float(similarity_scale(matrix).max()))
    return F.grid_sample(image, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def _shrink(image: Tensor, scale: float) -> Tensor:
    """Shrink a batch until bilinear sampling at `scale` output px per input px skips no pixel."""
    # Normalised grid coordinates do not change with the size of the image, so the warp's grid stays valid.
    factor = 1.5 * scale
    if factor >= 0.75:
        return image
    size = [max(1, round(side * factor)) for side in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
