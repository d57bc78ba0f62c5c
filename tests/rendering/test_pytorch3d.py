"""Agreement with PyTorch3D, where it is installed."""

import importlib.util

import pytest
import torch
from rasterizer_reference import random_scene, sphere

from mgc_lightning.errors import MissingExtraError
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.rendering.rasterizers import get_rasterizer
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

installed = importlib.util.find_spec("pytorch3d") is not None
needs_pytorch3d = pytest.mark.skipif(not installed, reason="PyTorch3D is not installed")


@pytest.mark.skipif(installed, reason="PyTorch3D is installed")
def test_absence_names_the_remedy():
    with pytest.raises(MissingExtraError, match="conda-forge"):
        get_rasterizer("pytorch3d")


@needs_pytorch3d
@pytest.mark.parametrize("size", [(24, 24), (20, 30), (30, 20)])
def test_winners_and_depth_of_random_triangles(size):
    verts, faces = random_scene(seed=size[0])
    winner, zbuf = get_rasterizer("pytorch3d")(verts, faces, size)
    expected, expected_z = get_rasterizer("numba")(verts, faces, size)
    assert (winner != expected).float().mean() <= 2e-3
    same = winner == expected
    torch.testing.assert_close(zbuf[same], expected_z[same], rtol=2e-3, atol=0)
    assert (zbuf[same] - expected_z[same]).abs().median() < 1e-2


@needs_pytorch3d
def test_bad_corners_and_no_faces():
    rasterizer = get_rasterizer("pytorch3d")
    verts, faces = random_scene(batch=1)
    verts[0, 0] = float("nan")
    verts[0, 1, 2] = -5
    winner, zbuf = rasterizer(verts, faces, (24, 24))
    assert zbuf.isfinite().all()
    assert not (faces[winner[winner >= 0]] <= 1).any()
    assert (rasterizer(verts, faces[:0], (24, 24))[0] == -1).all()


@needs_pytorch3d
def test_images_and_gradients_of_a_posed_mesh():
    verts, faces = sphere()
    results = []
    for name in ("numba", "pytorch3d"):
        leaf = verts[None].clone().requires_grad_()
        pose = torch.tensor([[0.1, 0.3, 3.2, 5.0, -4.0, 5000.0]], requires_grad=True)
        mesh = FaceMesh(leaf, faces, vertex_normals(leaf, faces), torch.sigmoid(leaf / 20))
        light = torch.linspace(-0.2, 0.9, 27)[None]
        rendered = FaceRenderer(name)(mesh, pose_to_transform(pose), intrinsics(64), light, 64)
        (rendered.image * torch.linspace(-1, 1, 64)).sum().backward()
        results.append((rendered, leaf.grad, pose.grad))
    (ours, *our_gradients), (theirs, *their_gradients) = results
    assert (ours.fragments.pix_to_face != theirs.fragments.pix_to_face).float().mean() <= 1e-3
    assert (ours.image - theirs.image).abs().mean() < 1e-4
    for got, expected in zip(our_gradients, their_gradients, strict=True):
        assert (got - expected).norm() < 1e-2 * expected.norm()
