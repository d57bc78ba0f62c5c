"""Covisibility on two planes, where a ray says what hides what."""

import pytest
import torch

from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.covisibility import (
    covisible_mask,
    pixels_with_shared_verts,
    visible_faces,
    visible_verts,
)
from mgc_lightning.geometry.pose import rigid, transform_points
from mgc_lightning.geometry.view_synthesis import correspond, unproject_depth
from mgc_lightning.rendering.rasterizers import get_rasterizer

SIZE = 64
SHIFT = 60.0


def plane(half_width, depth, cells):
    line = torch.linspace(-half_width, half_width, cells + 1)
    y, x = torch.meshgrid(line, line, indexing="ij")
    verts = torch.stack([x, y, torch.full_like(x, depth)], -1).flatten(0, 1)
    corner = (torch.arange(cells)[:, None] * (cells + 1) + torch.arange(cells)).flatten()
    quads = corner[:, None] + torch.tensor([0, 1, cells + 2, cells + 1])
    return verts, torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


@pytest.fixture(scope="module")
def scene():
    """A wall at 1000 mm with a square of 40 mm half width 100 mm before it; the source camera is moved right."""
    wall, wall_faces = plane(160.0, 1000.0, 20)
    square, square_faces = plane(40.0, 900.0, 6)
    verts = torch.cat([wall, square])
    faces = torch.cat([wall_faces, square_faces + len(wall)])
    K = intrinsics(SIZE, 1000.0)
    T = rigid(torch.eye(3).expand(2, 3, 3), torch.tensor([[0.0, 0, 0], [-SHIFT, 0, 0]]))
    verts_cam = transform_points(T, verts.expand(2, -1, 3))
    screen = torch.cat([project(verts_cam, K), verts_cam[..., 2:]], -1)
    pix_to_face, zbuf = get_rasterizer("auto", torch.device("cpu"))(screen, faces, (SIZE, SIZE))
    depth = torch.where(pix_to_face >= 0, zbuf, torch.zeros_like(zbuf))[:, None]
    return K, T, faces, len(verts), pix_to_face, depth


def masks(scene, tolerance=5.0):
    K, T, faces, count, pix_to_face, depth = scene
    found = correspond(depth[:1], T[1:], K[None], K[None])
    covisible = covisible_mask(found, depth[1:], pix_to_face[:1], pix_to_face[1:], faces, count, tolerance=tolerance)
    return covisible[0, 0], found


def hidden_from_source(scene):
    """Wall points whose ray to the source camera at (SHIFT, 0, 0) passes the square."""
    K, _, _, _, _, depth = scene
    points = unproject_depth(depth[:1], K[None])[0]
    crossing = torch.tensor([SHIFT, 0.0]) + (points[..., :2] - torch.tensor([SHIFT, 0.0])) * 0.9
    wall = points[..., 2] > 950
    return wall, wall & (crossing.abs() < 40).all(-1), points


def test_occluded_wall_is_excluded_and_the_rest_is_not(scene):
    covisible, found = masks(scene)
    wall, hidden, points = hidden_from_source(scene)
    assert hidden.sum() > 30
    assert not covisible[hidden].any()
    crossing = torch.tensor([SHIFT, 0.0]) + (points[..., :2] - torch.tensor([SHIFT, 0.0])) * 0.9
    # Two pixels (of 4 mm) beside the occluder's edge a sample may straddle it.
    clear = wall & ~(crossing.abs() < 50).all(-1) & found.inside[0, 0]
    assert covisible[clear].all()
    assert covisible[32, 32]


def test_vertex_rule_alone_leaks_across_the_occlusion(scene):
    _, _, faces, count, pix_to_face, _ = scene
    rule = pixels_with_shared_verts(pix_to_face[:1], pix_to_face[1:], faces, count)[0, 0]
    _, hidden, _ = hidden_from_source(scene)
    covisible, _ = masks(scene)
    assert rule[hidden].any()
    assert not (covisible & ~rule).any()


def test_no_depth_test_with_infinite_tolerance(scene):
    strict, _ = masks(scene)
    loose, _ = masks(scene, float("inf"))
    assert loose.sum() > strict.sum()
    assert not (strict & ~loose).any()


def test_background_is_no_triangle():
    faces = torch.tensor([[0, 1, 2], [2, 3, 4]])
    pix_to_face = torch.tensor([[[-1, -1], [1, -1]], [[-1, -1], [-1, -1]]])
    assert visible_faces(pix_to_face, 2).tolist() == [[False, True], [False, False]]
    assert visible_verts(pix_to_face, faces, 6).tolist() == [
        [False, False, True, True, True, False],
        [False] * 6,
    ]
    assert not pixels_with_shared_verts(pix_to_face[1:], pix_to_face[:1], faces, 6).any()
    shared = pixels_with_shared_verts(pix_to_face[:1], pix_to_face[:1], faces, 6)
    assert shared[0, 0].tolist() == [[False, False], [True, False]]
