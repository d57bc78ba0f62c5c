"""Warp one view into another by depth and relative pose (MGCNet sec. 3.2, occlusion-aware view synthesis)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from kornia.geometry.camera import unproject_points
from torch import Tensor

from mgc_lightning.errors import check_choice
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points

Padding = Literal["zeros", "border", "reflection"]
"""What lies outside an image, in PyTorch's words."""


@dataclass
class Correspondence:
    """Say where the surface points of target pixels lie in the source view.

    Attributes:
        uv: (B, H, W, 2) px in the source image, pixel centres at +.5.
        depth: (B, 1, H, W) z in mm of the points in the source camera's frame.
        inside: (B, 1, H, W) true where the target pixel has depth, the point lies in front of the source
            camera and its four bilinear neighbours lie in the source image.

    Example:
        >>> K, shift = torch.tensor([[[10.0, 0, 2], [0, 10, 2], [0, 0, 1]]]), torch.eye(4)[None]
        >>> shift[0, 0, 3] = 100.0  # the source camera sees points 100 mm farther right: 1 px at 1 m
        >>> found = correspond(torch.full((1, 1, 4, 4), 1000.0), shift, K, K)
        >>> found.uv[0, 1, 1], found.inside[0, 0, 1].tolist()  # pixel (1, 1), whose centre is (1.5, 1.5)
        (tensor([2.5000, 1.5000]), [True, True, True, False])
    """

    uv: Float[Tensor, "B H W 2"]
    depth: Float[Tensor, "B 1 H W"]
    inside: Bool[Tensor, "B 1 H W"]


def pixel_centres(
    height: int, width: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Float[Tensor, "H W 2"]:
    """Give the image coordinates (u, v) = (c + .5, r + .5) of all pixel centres.

    Example:
        >>> pixel_centres(1, 2).tolist()
        [[[0.5, 0.5], [1.5, 0.5]]]
    """
    v, u = torch.meshgrid(
        torch.arange(height, device=device, dtype=dtype or torch.get_default_dtype()) + 0.5,
        torch.arange(width, device=device, dtype=dtype or torch.get_default_dtype()) + 0.5,
        indexing="ij",
    )
    return torch.stack([u, v], dim=-1)


def unproject_depth(depth: Float[Tensor, "B 1 H W"], K: Float[Tensor, "B 3 3"]) -> Float[Tensor, "B H W 3"]:
    """Lift a depth map to camera-frame points: X = z K^-1 (u, v, 1).

    Args:
        depth: (B, 1, H, W) camera z in mm.
        K: (B, 3, 3) intrinsics in px.

    Returns:
        (B, H, W, 3) mm; the origin where depth is 0.

    Example:
        >>> from mgc_lightning.geometry import intrinsics
        >>> points = unproject_depth(torch.full((1, 1, 224, 224), 4700.0), intrinsics(224)[None])
        >>> points[0, 0, 0].tolist()  # the first pixel's centre, 111.5 px to the left and above the middle
        [-111.5, -111.5, 4700.0]
    """
    grid = pixel_centres(*depth.shape[-2:], device=depth.device, dtype=depth.dtype)
    return unproject_points(grid.expand(len(depth), -1, -1, -1), depth[:, 0, ..., None], K[:, None, None])


def correspond(
    depth_target: Float[Tensor, "B 1 H W"],
    T_source_target: Float[Tensor, "B 4 4"],
    K_target: Float[Tensor, "B 3 3"],
    K_source: Float[Tensor, "B 3 3"],
    source_size: tuple[int, int] | None = None,
) -> Correspondence:
    """Find target pixels' surface points in the source view: p_s = pi(K_s T_source_target D_t(p) K_t^-1 p).

    Differentiable in the depth and the transform. Pixels without depth get the source's first pixel and no
    gradient.

    Args:
        depth_target: (B, 1, H, W) camera z in mm, 0 in the background.
        T_source_target: (B, 4, 4) maps target-camera points to source-camera points.
        K_target: (B, 3, 3) px.
        K_source: (B, 3, 3) px.
        source_size: (height, width) of the source image; that of the target if None.

    Example:
        >>> from mgc_lightning.geometry import intrinsics, rigid
        >>> K = intrinsics(4, focal=4700.0)[None]
        >>> nearer = rigid(torch.eye(3), torch.tensor([0.0, 0.0, -2500.0]))[None]
        >>> found = correspond(torch.full((1, 1, 4, 4), 5000.0), nearer, K, K)
        >>> found.uv[0, 1, 1].tolist()  # of (1.5, 1.5): twice as far from the middle (2, 2)
        [1.0, 1.0]
        >>> found.depth[0, 0, 1, 1].item()
        2500.0
        >>> found.inside[0, 0].int().tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = source_size or depth_target.shape[-2:]
    points = unproject_depth(depth_target, K_target)
    points = transform_points(T_source_target, points.flatten(1, 2))
    # Replace before dividing: a masked 0/0 still has NaN gradients.
    usable = (depth_target[:, 0].flatten(1) > 0) & (points[..., 2] > 1e-3)
    safe = torch.where(usable[..., None], points, torch.ones_like(points))
    uv = project(safe, K_source)
    uv = torch.where(usable[..., None], uv, torch.full_like(uv, 0.5))
    inside = usable & ((uv >= 0.5) & (uv <= uv.new_tensor([width, height]) - 0.5)).all(-1)
    size = depth_target.shape[-2:]
    return Correspondence(
        uv=uv.unflatten(1, size),
        depth=torch.where(usable, points[..., 2], torch.zeros_like(points[..., 2])).unflatten(1, size).unsqueeze(1),
        inside=inside.unflatten(1, size).unsqueeze(1),
    )


def sample_bilinear(
    image: Float[Tensor, "B C H W"], uv: Float[Tensor, "B h w 2"], padding: Padding = "zeros"
) -> Float[Tensor, "B C h w"]:
    """Sample an image at pixel coordinates (centres at +.5), bilinear.

    Args:
        image: (B, C, H, W).
        uv: (B, h, w, 2) px. Coordinates at pixel centres return the pixels unchanged.
        padding: what lies outside.

    Raises:
        MGCError: if there is no such padding.

    Example:
        >>> row = torch.tensor([[[[0.0, 1.0, 4.0]]]])
        >>> places = torch.tensor([[[[0.5, 0.5], [1.0, 0.5], [2.5, 0.5]]]])
        >>> sample_bilinear(row, places).round(decimals=4).tolist()
        [[[[0.0, 0.5, 4.0]]]]
    """
    check_choice("padding", padding, Padding)
    size = uv.new_tensor([image.shape[-1], image.shape[-2]])
    return F.grid_sample(image, 2 * uv / size - 1, mode="bilinear", padding_mode=padding, align_corners=False)


def neighbours_covered(mask: Float[Tensor, "B 1 H W"], uv: Float[Tensor, "B h w 2"]) -> Bool[Tensor, "B 1 h w"]:
    """Tell where all four bilinear neighbours of a coordinate are covered by a binary mask.

    Example:
        >>> mask = torch.tensor([[[[0.0, 1.0, 1.0]]]])
        >>> neighbours_covered(mask, torch.tensor([[[[1.0, 0.5], [1.5, 0.5], [2.0, 0.5]]]])).tolist()
        [[[[False, True, True]]]]
    """
    # The weights sum to one only up to rounding.
    return sample_bilinear(mask, uv) > 1 - 1e-4
