"""Two-view geometry of heads with known poses: the fundamental matrix and distances to epipolar lines."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from kornia.geometry.epipolar import (
    essential_from_Rt,
    fundamental_from_essential,
    symmetrical_epipolar_distance,
)
from torch import Tensor

MIN_BASELINE = 1.0
"""Camera displacement in mm under which two views have no epipolar geometry."""


def fundamental_from_poses(
    T_target_model: Float[Tensor, "*batch 4 4"],
    T_source_model: Float[Tensor, "*batch 4 4"],
    K_target: Float[Tensor, "*batch 3 3"] | Float[Tensor, "3 3"],
    K_source: Float[Tensor, "*batch 3 3"] | Float[Tensor, "3 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Give F with q_source^T F q_target = 0: F = K_s^-T [t]x R K_t^-1 (Hartley & Zisserman eq. 9.12).

    R and t are those of T_source_target. F has unit Frobenius norm, since its natural scale (the baseline
    times 1 / f^2) loses float32 distances in the epsilons on their way; zero where the cameras coincide.

    Args:
        T_target_model: (..., 4, 4) pose in the target view.
        T_source_model: (..., 4, 4) pose of the same head in the source view.
        K_target: (..., 3, 3) or (3, 3) px.
        K_source: (..., 3, 3) or (3, 3) px.

    Example:
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform, project, transform_points
        >>> poses = torch.tensor([[0.0, -0.2, torch.pi, 0.0, 0.0, 5000.0], [0.0, 0.2, torch.pi, 0.0, 0.0, 5000.0]])
        >>> target, source = pose_to_transform(poses)
        >>> K, nose = intrinsics(224), torch.tensor([[0.0, 0.0, 100.0]])
        >>> q_target, q_source = (project(transform_points(T, nose), K) for T in (target, source))
        >>> F = fundamental_from_poses(target, source, K, K)
        >>> F.shape, round(F.norm().item(), 4)
        (torch.Size([3, 3]), 1.0)
        >>> bool(epipolar_distance(q_target, q_source, F) < 0.01)  # px
        True
    """
    essential = essential_from_Rt(
        T_target_model[..., :3, :3],
        T_target_model[..., :3, 3:],
        T_source_model[..., :3, :3],
        T_source_model[..., :3, 3:],
    )
    batch = essential.shape[:-2]
    fundamental = fundamental_from_essential(essential, K_target.expand(*batch, 3, 3), K_source.expand(*batch, 3, 3))
    squared = fundamental.square().sum((-2, -1), keepdim=True)
    return fundamental / squared.clamp(min=torch.finfo(squared.dtype).tiny).sqrt()


def baseline(
    T_target_model: Float[Tensor, "*batch 4 4"], T_source_model: Float[Tensor, "*batch 4 4"]
) -> Float[Tensor, " *batch"]:
    """Measure the distance in mm of the two camera centres in the head's frame.

    Example:
        >>> from mgc_lightning.geometry import pose_to_transform
        >>> poses = torch.tensor([[0.0, 0.0, torch.pi, 0.0, 0.0, 5000.0], [0.0, 0.2, torch.pi, 0.0, 0.0, 5000.0]])
        >>> front, turned = pose_to_transform(poses)
        >>> round(baseline(front, turned).item())  # 2 * 5000 * sin(.2 / 2): the camera went round the head
        998
    """
    R_target, R_source = T_target_model[..., :3, :3], T_source_model[..., :3, :3]
    centre_target = -R_target.mT @ T_target_model[..., :3, 3:]
    centre_source = -R_source.mT @ T_source_model[..., :3, 3:]
    return (centre_target - centre_source).squeeze(-1).square().sum(-1).sqrt()


def epipolar_distance(
    points_target: Float[Tensor, "*batch N 2"],
    points_source: Float[Tensor, "*batch N 2"],
    fundamental: Float[Tensor, "*batch 3 3"],
    valid: Bool[Tensor, " *batch"] | None = None,
    eps: float = 1e-8,
) -> Float[Tensor, "*batch N"]:
    """Measure the symmetric distance of correspondences to their epipolar lines in px.

    The root mean square of the two point-to-line distances: it has the size of the one-sided distance.

    Args:
        points_target: (..., N, 2) px.
        points_source: (..., N, 2) px.
        fundamental: (..., 3, 3), q_source^T F q_target = 0.
        valid: (...) false where there is no epipolar geometry: the distance and its gradient are 0 there.
        eps: added under the root (px^2): the gradient at 0 is 0, not NaN.

    Example:
        >>> sideways = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # lines are rows
        >>> epipolar_distance(torch.tensor([[10.0, 20.0]]), torch.tensor([[90.0, 23.0]]), sideways)
        tensor([3.])
    """
    if valid is not None:
        # Any F with finite lines everywhere does; a masked division by zero would still have NaN gradients.
        harmless = fundamental.new_tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        fundamental = torch.where(valid[..., None, None], fundamental, harmless)
    squared = symmetrical_epipolar_distance(points_target, points_source, fundamental, squared=True)
    distance = (0.5 * squared + eps).sqrt()
    return distance if valid is None else torch.where(valid[..., None], distance, torch.zeros_like(distance))
