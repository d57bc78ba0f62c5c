"""Head poses: six numbers, 4x4 rigid transforms, and the way between them (MGCNet sec. 3.2)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def pose_to_transform(pose: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """Turn poses into rigid transforms with R = Rx(rx) Ry(ry) Rz(rz).

    Args:
        pose: (..., 6) rz, ry, rx in radians, tx, ty, tz in mm.

    Returns:
        T_cam_model (..., 4, 4); X_cam = R X_model + t. rx near pi looks at the face from the front.

    Example:
        >>> T = pose_to_transform(torch.tensor([0.0, 0.0, torch.pi, 0.0, 0.0, 5000.0]))
        >>> T[:3, :3].diagonal().round().tolist()
        [1.0, -1.0, -1.0]
    """
    cos_z, cos_y, cos_x = pose[..., :3].cos().unbind(-1)
    sin_z, sin_y, sin_x = pose[..., :3].sin().unbind(-1)
    rows = torch.stack(
        [
            torch.stack([cos_y * cos_z, -cos_y * sin_z, sin_y], dim=-1),
            torch.stack(
                [
                    cos_x * sin_z + sin_x * sin_y * cos_z,
                    cos_x * cos_z - sin_x * sin_y * sin_z,
                    -sin_x * cos_y,
                ],
                dim=-1,
            ),
            torch.stack(
                [
                    sin_x * sin_z - cos_x * sin_y * cos_z,
                    sin_x * cos_z + cos_x * sin_y * sin_z,
                    cos_x * cos_y,
                ],
                dim=-1,
            ),
        ],
        dim=-2,
    )
    return rigid(rows, pose[..., 3:6])


def transform_to_pose(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 6"]:
    """Recover rz, ry, rx (radians) and tx, ty, tz (mm) from a rigid transform.

    ry lies in [-pi/2, pi/2]. At exactly +-pi/2 only rx + rz or rx - rz is determined; one pair that gives the
    same rotation is returned.

    Args:
        T: (..., 4, 4) T_cam_model.

    Returns:
        (..., 6) poses with angles in (-pi, pi].

    Example:
        >>> pose = torch.tensor([0.1, 0.2, 3.0, 5.0, -3.0, 4950.0])
        >>> bool(torch.allclose(transform_to_pose(pose_to_transform(pose)), pose, atol=1e-3))
        True
    """
    R = T[..., :3, :3]
    ry = torch.atan2(R[..., 0, 2], torch.hypot(R[..., 1, 2], R[..., 2, 2]))
    rx = torch.atan2(-R[..., 1, 2], R[..., 2, 2])
    # Rx(rx)^T R = Ry Rz has the second row (sin rz, cos rz, 0): defined at ry = +-pi/2 too, where the usual
    # atan2(-r01, r00) is 0/0.
    cos_x, sin_x = rx.cos(), rx.sin()
    rz = torch.atan2(cos_x * R[..., 1, 0] + sin_x * R[..., 2, 0], cos_x * R[..., 1, 1] + sin_x * R[..., 2, 1])
    return torch.cat([torch.stack([rz, ry, rx], dim=-1), T[..., :3, 3]], dim=-1)


def rigid(R: Float[Tensor, "*batch 3 3"], t: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """Assemble (..., 4, 4) transforms from rotations (..., 3, 3) and translations (..., 3).

    Example:
        >>> rigid(torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))
        tensor([[1., 0., 0., 1.],
                [0., 1., 0., 2.],
                [0., 0., 1., 3.],
                [0., 0., 0., 1.]])
    """
    top = torch.cat([R, t[..., None]], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def relative_transform(
    T_target_model: Float[Tensor, "*batch 4 4"], T_source_model: Float[Tensor, "*batch 4 4"]
) -> Float[Tensor, "*batch 4 4"]:
    """Give T_source_target = T_source_model T_target_model^-1: target-camera to source-camera points.

    Args:
        T_target_model: (..., 4, 4) pose in the target view.
        T_source_model: (..., 4, 4) pose of the same head in the source view.

    Returns:
        T_source_target (..., 4, 4).

    Example:
        >>> T_target, T_source = (rigid(torch.eye(3), torch.tensor([x, 0.0, 5000.0])) for x in (0.0, 30.0))
        >>> relative_transform(T_target, T_source)[:3, 3].tolist()
        [30.0, 0.0, 0.0]
    """
    R = T_source_model[..., :3, :3] @ T_target_model[..., :3, :3].mT
    t = T_source_model[..., :3, 3] - (R @ T_target_model[..., :3, 3:]).squeeze(-1)
    return rigid(R, t)


def transform_points(
    T: Float[Tensor, "*batch 4 4"], points: Float[Tensor, "*batch N 3"] | Float[Tensor, "N 3"]
) -> Float[Tensor, "*batch N 3"]:
    """Apply rigid (or affine) transforms (..., 4, 4) to points (..., N, 3) or (N, 3).

    Example:
        >>> T_cam_model = pose_to_transform(torch.tensor([0.0, 0.0, torch.pi, 0.0, 0.0, 5000.0]))
        >>> nose = torch.tensor([[0.0, 10.0, 120.0]])  # y up, towards the viewer
        >>> transform_points(T_cam_model, nose).round().tolist()  # y down, nearer than the head's origin
        [[0.0, -10.0, 4880.0]]
    """
    return points @ T[..., :3, :3].mT + T[..., None, :3, 3]


def rotation_error(
    R1: Float[Tensor, "*batch 3 3"], R2: Float[Tensor, "*batch 3 3"] | Float[Tensor, "3 3"]
) -> Float[Tensor, " *batch"]:
    """Measure the angle between rotations in degrees, in [0, 180].

    From the chordal distance, |R1 - R2|_F = 2 sqrt(2) sin(angle / 2): the arccos of the trace loses half of
    its digits near zero, where this is used.

    Args:
        R1: (..., 3, 3) rotations.
        R2: (..., 3, 3) or (3, 3) rotations.

    Returns:
        (...) degrees.

    Example:
        >>> turned = pose_to_transform(torch.tensor([0.0, torch.pi / 6, 0.0, 0.0, 0.0, 0.0]))[:3, :3]
        >>> round(rotation_error(torch.eye(3), turned).item(), 3)
        30.0
    """
    half_sine = (torch.linalg.matrix_norm(R1 - R2) / math.sqrt(8.0)).clamp(max=1.0)
    return torch.rad2deg(2.0 * torch.asin(half_sine))
