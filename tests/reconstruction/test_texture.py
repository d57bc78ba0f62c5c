"""The atlas has room for every triangle; the baked texture shows the photograph where it shows the face."""

import numpy as np
import pytest
import torch
from tiny_networks import ROLLED

from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.reconstruction.maps import draw_normals, geometry_maps
from mgc_lightning.reconstruction.texture import bake_texture, make_atlas
from mgc_lightning.reconstruction.textured_mesh import write_textured_glb
from mgc_lightning.rendering.renderer import FaceRenderer


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_texels_inside_a_triangle_are_its_own(count):
    atlas = make_atlas(count, cell=16)
    assert atlas.uv.shape == (count, 3, 2)
    assert atlas.uv.min() >= 0
    assert atlas.uv.max() <= atlas.size
    torch.testing.assert_close(atlas.bary.sum(-1), torch.ones(atlas.size, atlas.size))
    for triangle in range(count):
        corners = atlas.uv[triangle]
        inside = torch.tensor([0.4, 0.35, 0.25])
        u, v = (inside @ corners).floor().long().tolist()
        assert atlas.triangle[v, u] == triangle
        place = atlas.bary[v, u] @ corners
        torch.testing.assert_close(place, torch.tensor([u + 0.5, v + 0.5]), atol=1e-3, rtol=0)


def test_the_photograph_is_baked_where_it_is_seen(reconstructor, tmp_path):
    u, v = torch.meshgrid(torch.linspace(0, 1, 320), torch.linspace(0, 1, 240), indexing="xy")
    face = reconstructor.reconstruct(torch.stack([u, v, torch.full_like(u, 0.5)]), landmarks=ROLLED)
    faces = reconstructor.face_model.face_region_faces
    atlas = make_atlas(len(faces), cell=12)
    texture, share = bake_texture(face, faces, atlas, FaceRenderer())
    assert texture.shape == (atlas.size, atlas.size, 3)
    sure = share > 0.99
    assert 0.1 < sure.float().mean() < 0.9
    # Red is the column, green the row of the photograph: the texture says where each texel was seen.
    corners = face.mesh.verts[faces[atlas.triangle[sure]]]
    points = (corners * atlas.bary[sure][..., None]).sum(1) @ face.T_cam_model[:3, :3].T + face.T_cam_model[:3, 3]
    pixels = points @ face.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    got = torch.from_numpy(texture[sure.numpy()].astype(np.float32))[:, :2] / 255
    expected = (pixels - 0.5) / torch.tensor([319.0, 239.0])
    assert (got - expected).abs().max() < 0.02
    path = write_textured_glb(tmp_path / "face.glb", face.mesh.verts, faces, face.mesh.normals, atlas.uv, texture)
    mesh = read_mesh(path)
    assert len(mesh.faces) == len(faces)
    np.testing.assert_allclose(mesh.verts[mesh.faces[:, 0]], face.mesh.verts[faces[:, 0]].numpy(), atol=1e-3)
    assert b"KHR_materials_unlit" in path.read_bytes()


def test_maps_lie_on_the_face(reconstructor):
    face = reconstructor.reconstruct(torch.full((3, 240, 320), 0.5), landmarks=ROLLED)
    maps = geometry_maps(face, FaceRenderer(), reconstructor.face_model.face_region_faces)
    assert maps.depth.shape == (240, 320)
    inside = maps.normals[maps.mask]
    torch.testing.assert_close(inside.norm(dim=1), torch.ones(len(inside)), atol=1e-4, rtol=0)
    assert (inside[:, 2] < 0).float().mean() > 0.95  # toward the camera
    assert draw_normals(maps)[~maps.mask.numpy()].max() == 0
