"""The official landmark reprojection error, which it computes and does not use."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.official.warp import Z_EPS, inside_image
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.geometry.view_synthesis import sample_bilinear


def official_reprojection_distance(
    points_target: Float[Tensor, "B N 2"],
    points_source: Float[Tensor, "B N 2"],
    depth_target: Float[Tensor, "B 1 H W"],
    T_source_target: Float[Tensor, "B 4 4"],
    K: Float[Tensor, "B 3 3"],
) -> Float[Tensor, "B N"]:
    """Measure how far the target's landmarks, lifted by the depth map, project from the source's, in px.

    The depth map is sampled at integer pixels; a landmark on the background has depth 0 and lands far away.
    """
    uv = (points_target + 0.5)[:, None]
    depth = sample_bilinear(depth_target, uv) * inside_image(uv, *depth_target.shape[-2:])
    rays = torch.cat([points_target, torch.ones_like(points_target[..., :1])], dim=-1) @ torch.linalg.inv(K).mT
    points = transform_points(T_source_target, rays * depth[:, 0, 0, :, None])
    projected = (points[..., :2] / (points[..., 2:] + Z_EPS)) @ K[:, :2, :2].mT + K[:, None, :2, 2]
    return (projected - points_source).norm(dim=-1)
