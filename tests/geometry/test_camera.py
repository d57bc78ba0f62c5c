import pytest
import torch

from mgc_lightning.geometry.camera import DEFAULT_FOCAL, intrinsics, project


def test_intrinsics_keep_the_field_of_view_at_any_size():
    small, large = intrinsics(112), intrinsics(448)
    point = torch.tensor([[30.0, -50.0, 5000.0]])
    torch.testing.assert_close(project(point, large), 4 * project(point, small))
    assert intrinsics(224)[0, 0] == DEFAULT_FOCAL


def test_projection_of_known_points():
    points = torch.tensor([[30.1744, 29.1054, 4894.3359], [0.0, 0.0, 10.0]])
    expected = torch.tensor([[140.9763, 139.9497], [112.0, 112.0]])
    torch.testing.assert_close(project(points, intrinsics(224)), expected, atol=1e-4, rtol=0)


def test_general_intrinsics_with_skew_and_two_focal_lengths():
    K = torch.tensor([[100.0, 5.0, 20.0], [0.0, 200.0, 30.0], [0.0, 0.0, 1.0]])
    points = torch.tensor([[1.0, 2.0, 4.0]])
    homogeneous = points @ K.mT
    torch.testing.assert_close(project(points, K), homogeneous[:, :2] / homogeneous[:, 2:])


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_any_batch_shape_with_one_or_many_intrinsics(batch):
    points = torch.rand(*batch, 5, 3) + 1
    K = intrinsics(224)
    one = project(points, K)
    assert one.shape == (*batch, 5, 2)
    torch.testing.assert_close(project(points, K.expand(*batch, 3, 3)), one)


def test_gradient():
    points = torch.rand(2, 4, 3, dtype=torch.float64) + 1
    K = intrinsics(224, dtype=torch.float64)
    assert torch.autograd.gradcheck(project, (points.requires_grad_(), K.requires_grad_()))
