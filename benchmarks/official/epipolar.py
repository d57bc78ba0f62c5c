"""The official epipolar distance: one-sided, with E = R [t]x where [t]x R is right."""

from __future__ import annotations

import torch
from jaxtyping import Float
from kornia.geometry.epipolar import cross_product_matrix, fundamental_from_essential
from torch import Tensor

LINE_EPS = 1e-6


def official_fundamental(T_source_target: Float[Tensor, "B 4 4"], K: Float[Tensor, "B 3 3"]) -> Float[Tensor, "B 3 3"]:
    """Give F = K^-T R [t]x K^-1, not normalised."""
    R, t = T_source_target[:, :3, :3], T_source_target[:, :3, 3]
    return fundamental_from_essential(R @ cross_product_matrix(t), K, K)


def epipolar_lines(points_target: Float[Tensor, "B N 2"], F: Float[Tensor, "B 3 3"]) -> Float[Tensor, "B N 3"]:
    """Give the lines F q of the target's points in the source image."""
    return _homogeneous(points_target) @ F.mT


def official_epipolar_distance(
    points_target: Float[Tensor, "B N 2"], points_source: Float[Tensor, "B N 2"], F: Float[Tensor, "B 3 3"]
) -> Float[Tensor, "B N"]:
    """Measure |q_s^T F q_t| / (|(l_x, l_y)| + eps) in px."""
    lines = epipolar_lines(points_target, F)
    products = (_homogeneous(points_source) * lines).sum(-1).abs()
    return products / (lines[..., :2].norm(dim=-1) + LINE_EPS)


def _homogeneous(points: Tensor) -> Tensor:
    return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
