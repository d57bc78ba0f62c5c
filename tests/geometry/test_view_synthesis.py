"""View synthesis on planes and spheres, whose depth and correspondences have formulas."""

import pytest
import torch

from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, relative_transform, transform_points
from mgc_lightning.geometry.view_synthesis import (
    correspond,
    neighbours_covered,
    pixel_centres,
    sample_bilinear,
    unproject_depth,
)

SIZE = 48


def plane_depth(K, normal, offset):
    """Depth of the plane n . X = offset: z = offset / (n . K^-1 (u, v, 1))."""
    grid = pixel_centres(SIZE, SIZE, dtype=K.dtype)
    rays = torch.cat([grid, torch.ones_like(grid[..., :1])], -1) @ torch.linalg.inv(K).mT
    return (offset / (rays @ normal))[None, None]


@pytest.fixture
def K():
    return intrinsics(SIZE, 1000.0, dtype=torch.float64)


def test_unproject_inverts_project(K):
    depth = 1000 + 50 * torch.rand(2, 1, SIZE, SIZE, dtype=torch.float64)
    points = unproject_depth(depth, K.expand(2, 3, 3))
    torch.testing.assert_close(points[..., 2], depth[:, 0])
    uv = project(points.flatten(1, 2), K).unflatten(1, (SIZE, SIZE))
    torch.testing.assert_close(uv, pixel_centres(SIZE, SIZE, dtype=torch.float64).expand_as(uv))


def test_equal_poses_give_the_identity_warp():
    K = intrinsics(SIZE)[None]
    depth = 4990 + 50 * torch.rand(1, 1, SIZE, SIZE)
    T = pose_to_transform(torch.tensor([[0.1, 0.2, 3.0, 5.0, -3.0, 4950.0]]))
    found = correspond(depth, relative_transform(T, T), K, K)
    torch.testing.assert_close(found.uv[0], pixel_centres(SIZE, SIZE), atol=2e-3, rtol=0)
    torch.testing.assert_close(found.depth, depth, atol=2e-3, rtol=0)
    image = torch.rand(1, 3, SIZE, SIZE)
    assert found.inside[..., 1:-1, 1:-1].all()
    torch.testing.assert_close(sample_bilinear(image, found.uv), image, atol=5e-3, rtol=0)


def test_plane_induces_its_homography(K):
    # X_s = (R + t n^T / d) X_t on the plane n . X_t = d.
    normal = torch.nn.functional.normalize(torch.tensor([0.2, -0.1, 1.0], dtype=torch.float64), dim=0)
    depth = plane_depth(K, normal, 900.0)
    T = pose_to_transform(torch.tensor([[0.05, 0.1, -0.07, 8.0, -3.0, 20.0]], dtype=torch.float64))
    found = correspond(depth, T, K[None], K[None])
    H = K @ (T[0, :3, :3] + T[0, :3, 3:] @ normal[None] / 900.0) @ torch.linalg.inv(K)
    grid = pixel_centres(SIZE, SIZE, dtype=torch.float64)
    mapped = torch.cat([grid, torch.ones_like(grid[..., :1])], -1) @ H.mT
    expected = mapped[..., :2] / mapped[..., 2:]
    torch.testing.assert_close(found.uv[0], expected)
    inside = ((expected >= 0.5) & (expected <= SIZE - 0.5)).all(-1)
    assert torch.equal(found.inside[0, 0], inside)
    assert 0 < inside.sum() < inside.numel()


def test_background_has_no_correspondence_and_no_gradient(K):
    depth = torch.full((1, 1, SIZE, SIZE), 1000.0, dtype=torch.float64)
    depth[..., : SIZE // 2] = 0
    depth.requires_grad_()
    pose = torch.tensor([[0.0, 0.1, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    found = correspond(depth, pose_to_transform(pose), K[None], K[None])
    assert not found.inside[..., : SIZE // 2].any()
    (found.uv.sum() + found.depth.sum()).backward()
    assert torch.isfinite(pose.grad).all()
    assert depth.grad[..., : SIZE // 2].abs().max() == 0
    assert depth.grad[..., SIZE // 2 :].abs().min() > 0


def test_points_behind_the_source_are_outside(K):
    depth = torch.full((1, 1, SIZE, SIZE), 1000.0, dtype=torch.float64)
    T = pose_to_transform(torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -1500.0]], dtype=torch.float64))
    assert not correspond(depth, T, K[None], K[None]).inside.any()


def test_sampling_at_pixel_centres_returns_the_pixels():
    image = torch.rand(2, 3, 5, 7)
    grid = pixel_centres(5, 7).expand(2, 5, 7, 2)
    torch.testing.assert_close(sample_bilinear(image, grid), image)
    half = sample_bilinear(image, grid[:, :, :-1] + torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(half, (image[..., :-1] + image[..., 1:]) / 2)


def test_neighbours_covered_excludes_the_border_of_a_mask():
    mask = torch.zeros(1, 1, 6, 6)
    mask[..., 2:5, 2:5] = 1
    uv = torch.tensor([[3.5, 3.5], [2.6, 2.6], [2.4, 3.5], [4.5, 4.5], [4.6, 3.5]])
    assert neighbours_covered(mask, uv[None, None]).flatten().tolist() == [True, True, False, True, False]


def test_gradient(K):
    small = K.clone()
    small[:2, 2] = 2.0
    depth = 1000 + 20 * torch.rand(1, 1, 4, 4, dtype=torch.float64)
    pose = torch.tensor([[0.01, 0.005, 0.0, 1.0, 2.0, 3.0]], dtype=torch.float64)

    def warp(depth, pose):
        found = correspond(depth, pose_to_transform(pose), small[None], small[None])
        return found.uv, found.depth

    assert torch.autograd.gradcheck(warp, (depth.requires_grad_(), pose.requires_grad_()))


def test_each_sample_follows_its_own_transform(K):
    depth = 1000 + 20 * torch.rand(3, 1, SIZE, SIZE, dtype=torch.float64)
    T = pose_to_transform(0.05 * torch.randn(3, 6, dtype=torch.float64))
    together = correspond(depth, T, K.expand(3, 3, 3), K.expand(3, 3, 3))
    for row in range(3):
        alone = correspond(depth[row : row + 1], T[row : row + 1], K[None], K[None])
        torch.testing.assert_close(together.uv[row : row + 1], alone.uv)
    torch.testing.assert_close(
        together.depth[:, 0].flatten(1),
        transform_points(T, unproject_depth(depth, K.expand(3, 3, 3)).flatten(1, 2))[..., 2],
    )
