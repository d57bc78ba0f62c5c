"""Two-view geometry against the numbers worked out by hand, and against true correspondences."""

import pytest
import torch
from kornia.geometry.epipolar import left_to_right_epipolar_distance

from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.epipolar import baseline, epipolar_distance, fundamental_from_poses
from mgc_lightning.geometry.pose import pose_to_transform, transform_points

TARGET = torch.tensor([0.1, 0.2, torch.pi + 0.05, 5, -3, 4950], dtype=torch.float64)
SOURCE = torch.tensor([-0.05, -0.3, torch.pi - 0.1, 30, 12, 5010], dtype=torch.float64)


def two_views(points, target=TARGET, source=SOURCE, focal=4700.0, dtype=torch.float64):
    K = intrinsics(224, focal, dtype=dtype)
    T_target, T_source = pose_to_transform(target.to(dtype)), pose_to_transform(source.to(dtype))
    points = points.to(dtype)
    in_target = project(transform_points(T_target, points), K)
    in_source = project(transform_points(T_source, points), K)
    return in_target, in_source, T_target, T_source, K


def test_known_pair():
    in_target, in_source, T_target, T_source, K = two_views(torch.tensor([[30.0, -20.0, 100.0]]))
    expected = torch.tensor([[166.2407, 129.8608], [138.9461, 134.0182]], dtype=torch.float64)
    torch.testing.assert_close(torch.cat([in_target, in_source]), expected, atol=1e-4, rtol=0)
    fundamental = fundamental_from_poses(T_target, T_source, K, K)
    assert fundamental.norm().item() == pytest.approx(1)
    assert epipolar_distance(in_target, in_source, fundamental, eps=0).item() < 1e-8
    moved = in_source + torch.tensor([0.0, 3.0], dtype=torch.float64)
    one_sided = left_to_right_epipolar_distance(in_target, moved, fundamental)
    assert one_sided.item() == pytest.approx(2.829, abs=1e-3)
    assert epipolar_distance(in_target, moved, fundamental).item() == pytest.approx(2.842, abs=1e-3)


@pytest.mark.parametrize("yaw", [0.003, 0.1, 0.8, 1.5])
@pytest.mark.parametrize("focal", [1000.0, 4700.0])
def test_true_correspondences_in_float32(yaw, focal):
    points = torch.randn(200, 3) * 60
    source = TARGET + torch.tensor([0.02, yaw, 0.05, 3.0, -2.0, 30.0], dtype=torch.float64)
    in_target, in_source, T_target, T_source, K = two_views(points, source=source, focal=focal, dtype=torch.float32)
    distance = epipolar_distance(in_target, in_source, fundamental_from_poses(T_target, T_source, K, K))
    assert distance.max() < 2e-3


def test_distance_is_symmetric_in_the_views():
    in_target, in_source, T_target, T_source, K = two_views(torch.randn(10, 3) * 60)
    in_source = in_source + torch.randn_like(in_source)
    forward = epipolar_distance(in_target, in_source, fundamental_from_poses(T_target, T_source, K, K))
    backward = epipolar_distance(in_source, in_target, fundamental_from_poses(T_source, T_target, K, K))
    torch.testing.assert_close(forward, backward)


def test_different_intrinsics():
    points = torch.randn(20, 3, dtype=torch.float64) * 60
    T_target, T_source = pose_to_transform(TARGET), pose_to_transform(SOURCE)
    K_target = intrinsics(224, dtype=torch.float64)
    K_source = torch.tensor([[900.0, 0, 40], [0, 1100.0, 50], [0, 0, 1]], dtype=torch.float64)
    distance = epipolar_distance(
        project(transform_points(T_target, points), K_target),
        project(transform_points(T_source, points), K_source),
        fundamental_from_poses(T_target, T_source, K_target, K_source),
        eps=0,
    )
    assert distance.max() < 1e-7


def test_coinciding_cameras_have_no_geometry_and_no_gradient():
    poses = torch.stack([TARGET, TARGET]).float().requires_grad_()
    T = pose_to_transform(poses)
    K = intrinsics(224)
    fundamental = fundamental_from_poses(T[0], T[1], K, K)
    points = torch.rand(68, 2) * 224
    distance = epipolar_distance(points, points + 3, fundamental, baseline(T[0], T[1]) > 1)
    assert torch.equal(distance, torch.zeros(68))
    distance.sum().backward()
    assert torch.equal(poses.grad, torch.zeros_like(poses))


def test_baseline_is_the_distance_of_the_camera_centres():
    T = pose_to_transform(torch.stack([TARGET, TARGET]))
    T[1, :3, 3] += torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    assert baseline(T[0], T[1]).item() == pytest.approx(5)


def test_gradient():
    points = torch.randn(5, 3, dtype=torch.float64) * 60
    in_target, in_source, _, _, K = two_views(points)
    in_source = in_source + torch.randn_like(in_source)

    def distance(target, source):
        fundamental = fundamental_from_poses(pose_to_transform(target), pose_to_transform(source), K, K)
        return epipolar_distance(in_target, in_source, fundamental)

    inputs = (TARGET.clone().requires_grad_(), SOURCE.clone().requires_grad_())
    assert torch.autograd.gradcheck(distance, inputs, atol=1e-4, rtol=1e-3)


def test_any_batch_shape():
    poses = torch.stack([TARGET, SOURCE, TARGET + 0.1]).expand(2, 3, 6)
    T = pose_to_transform(poses)
    K = intrinsics(224, dtype=torch.float64)
    fundamental = fundamental_from_poses(T, T.flip(1), K, K)
    assert fundamental.shape == (2, 3, 3, 3)
    points = torch.rand(2, 3, 68, 2, dtype=torch.float64)
    assert epipolar_distance(points, points, fundamental).shape == (2, 3, 68)
