import math

import pytest
import roma
import torch

from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import (
    pose_to_transform,
    relative_transform,
    rotation_error,
    transform_points,
    transform_to_pose,
)

MAIN = [0.0, 0.0, 3.141593, 0.17440447, 9.1053238, 4994.3359]
TURNED = [0.1, 0.2, math.pi + 0.05, 5.0, -3.0, 4950.0]
POINT = torch.tensor([[30.0, -20.0, 100.0]], dtype=torch.float64)


def _pose(values):
    return torch.tensor(values, dtype=torch.float64)


def test_main_pose_known_answer():
    camera = transform_points(pose_to_transform(_pose(MAIN)), POINT)
    torch.testing.assert_close(camera, _pose([[30.1744, 29.1054, 4894.3359]]), atol=1e-4, rtol=0)
    pixels = project(camera, intrinsics(224, dtype=torch.float64))
    torch.testing.assert_close(pixels, _pose([[140.9763, 139.9497]]), atol=1e-4, rtol=0)


def test_turned_pose_known_answer():
    T = pose_to_transform(_pose(TURNED))
    R = _pose([[0.97517, -0.097843, 0.198669], [-0.109588, -0.992769, 0.048983], [0.19244, -0.069539, -0.978842]])
    torch.testing.assert_close(T[:3, :3], R, atol=6e-6, rtol=0)
    camera = transform_points(T, POINT)
    pixels = project(camera, intrinsics(224, dtype=torch.float64))
    torch.testing.assert_close(pixels, _pose([[166.2407, 129.8608]]), atol=1e-4, rtol=0)
    assert camera[0, 2].item() == pytest.approx(4859.2798, abs=6e-5)


def test_rotation_is_the_product_of_the_axis_rotations():
    angles = torch.randn(20, 3, dtype=torch.float64)
    T = pose_to_transform(torch.cat([angles, torch.zeros(20, 3, dtype=torch.float64)], dim=-1))
    expected = roma.euler_to_rotmat("XYZ", angles.flip(-1))
    torch.testing.assert_close(T[:, :3, :3], expected)


def test_relative_transform_known_answer():
    target = pose_to_transform(_pose(TURNED))
    source = pose_to_transform(_pose([-0.05, -0.3, math.pi - 0.1, 30.0, 12.0, 5010.0]))
    T = relative_transform(target, source)
    torch.testing.assert_close(T[:3, 3], _pose([-2299.169, -809.541, 720.178]), atol=1e-3, rtol=0)
    assert T[0, 2].item() == pytest.approx(0.469563, abs=6e-7)
    torch.testing.assert_close(transform_points(T, transform_points(target, POINT)), transform_points(source, POINT))


def test_pose_survives_the_way_there_and_back():
    pose = torch.randn(50, 6, dtype=torch.float64)
    pose[:, :3].clamp_(-1.5, 1.5)
    torch.testing.assert_close(transform_to_pose(pose_to_transform(pose)), pose)


@pytest.mark.parametrize("sign", [-1, 1])
def test_gimbal_lock_gives_the_same_rotation(sign):
    T = pose_to_transform(_pose([0.3, sign * math.pi / 2, 2.0, 1.0, 2.0, 3.0]))
    torch.testing.assert_close(pose_to_transform(transform_to_pose(T)), T, atol=1e-12, rtol=0)


def test_rotation_error_is_exact_near_zero_and_near_half_a_turn():
    degrees = _pose([0.0, 1e-6, 0.01, 30.0, 179.0, 180.0])
    pose = torch.zeros(6, 6, dtype=torch.float64)
    pose[:, 1] = torch.deg2rad(degrees)
    R = pose_to_transform(pose)[:, :3, :3]
    torch.testing.assert_close(rotation_error(R, torch.eye(3, dtype=torch.float64)), degrees, atol=1e-5, rtol=1e-6)


def test_gradients():
    pose = _pose([TURNED, MAIN]).requires_grad_()
    points = torch.randn(2, 3, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, x: transform_points(pose_to_transform(p), x), (pose, points))
