"""The atlas has room for every triangle; the baked texture shows the photograph where it shows the face."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from scipy.ndimage import distance_transform_edt
from tiny_networks import ROLLED

from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.reconstruction.atlas import make_atlas
from mgc_lightning.reconstruction.maps import draw_normals, geometry_maps
from mgc_lightning.reconstruction.surface import _loops, textured_surface
from mgc_lightning.reconstruction.texture import bake_texture
from mgc_lightning.reconstruction.textured_mesh import write_textured_glb, write_textured_obj
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh


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


def test_the_smallest_cells_still_hold_triangles():
    atlas = make_atlas(3, cell=1)
    torch.testing.assert_close(atlas.bary.sum(-1), torch.ones(atlas.size, atlas.size))
    sides = atlas.uv[:, 1:] - atlas.uv[:, :1]
    assert torch.linalg.det(sides).abs().min() > 0


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
    obj, material, picture = write_textured_obj(
        tmp_path / "face.obj", face.mesh.verts, faces, face.mesh.normals, atlas.uv, texture
    )
    assert (material.name, picture.name) == ("face.mtl", "face.png")
    found = trimesh.load(obj, process=False)
    # Through the file's own coordinates the picture says the same of every corner.
    image = np.asarray(Image.open(picture).convert("RGB")).astype(np.float32) / 255
    np.testing.assert_array_equal(np.round(image * 255), texture)
    assert found.visual.material.image.size == (atlas.size, atlas.size)
    read = read_mesh(obj)
    np.testing.assert_array_equal(read.faces, faces.numpy())
    np.testing.assert_allclose(read.verts, face.mesh.verts.numpy(), atol=1e-2)
    triangles, places = found.vertices[found.faces], found.visual.uv[found.faces]
    np.testing.assert_allclose(triangles, face.mesh.verts[faces].numpy(), atol=1e-2)
    below = atlas.uv.numpy() / atlas.size
    np.testing.assert_allclose(places, np.stack([below[..., 0], 1 - below[..., 1]], axis=-1), atol=1e-5)
    path = write_textured_glb(tmp_path / "face.glb", face.mesh.verts, faces, face.mesh.normals, atlas.uv, texture)
    mesh = read_mesh(path)
    assert len(mesh.faces) == len(faces)
    np.testing.assert_allclose(mesh.verts[mesh.faces[:, 0]], face.mesh.verts[faces[:, 0]].numpy(), atol=1e-3)
    assert b"KHR_materials_unlit" in path.read_bytes()


def face_on_magenta(reconstructor, shrink):
    """Give a face and its photograph, in which the head is smaller than reconstructed, before magenta."""
    face = reconstructor.reconstruct(torch.full((3, 240, 320), 0.5), landmarks=ROLLED)
    maps = geometry_maps(face, FaceRenderer(), face.mesh.faces)
    size = 150 * float(face.K[0, 0] / face.T_cam_model[2, 3])
    inside = torch.from_numpy(distance_transform_edt(maps.mask.numpy()) > shrink * size)
    skin = torch.tensor([0.7, 0.5, 0.4])[:, None, None] + 0.02 * torch.randn(1, 240, 320)
    image = torch.where(inside, skin, torch.tensor([1.0, 0.0, 1.0])[:, None, None])
    return dataclasses.replace(face, image=image.clamp(0, 1))


@pytest.mark.parametrize("shrink", [0.0, 0.05, 0.1])
def test_no_background_is_printed(reconstructor, shrink):
    face = face_on_magenta(reconstructor, shrink)
    mesh = textured_surface(reconstructor.face_model).mesh(face.mesh)
    atlas = make_atlas(len(mesh.faces), cell=12)
    texture, share = bake_texture(face, mesh.faces, atlas, FaceRenderer(), mesh)
    red, green, blue = texture.astype(np.float32).transpose(2, 0, 1) / 255
    magenta = (blue > green + 0.15) & (blue > 0.4)
    assert magenta.mean() < 1e-3
    assert 0.1 < (share > 0.9).float().mean() < 0.9


def test_what_is_not_seen_goes_on_in_the_colours_of_what_is(reconstructor):
    face = face_on_magenta(reconstructor, 0.0)
    mesh = textured_surface(reconstructor.face_model).mesh(face.mesh)
    atlas = make_atlas(len(mesh.faces), cell=12)
    texture, share = bake_texture(face, mesh.faces, atlas, FaceRenderer(), mesh)
    edge = (share > 0.02).numpy() & (share < 0.1).numpy()
    assert np.abs(np.median(texture[edge], axis=0) / 255 - [0.7, 0.5, 0.4]).max() < 0.12


def test_the_surface_is_closed_behind_the_lips_and_ends_smoothly(reconstructor):
    model = reconstructor.face_model
    surface = textured_surface(model)
    assert surface is textured_surface(model)
    mean = surface.mesh(FaceMesh(model.mean, model.faces, model.mean, model.mean))
    rim, holes = _loops(surface.faces.numpy(), mean.verts.numpy())
    assert holes == []
    raw, mouth = _loops(model.face_region_faces.numpy(), model.mean.numpy())
    assert len(mouth) == 1
    own = surface.ends[:, 0] == surface.ends[:, 1]
    torch.testing.assert_close(mean.verts[own], model.mean[surface.ends[own, 0]])

    def turning(loop, verts):
        steps = np.diff(verts[[*loop, loop[0], loop[1]]], axis=0)
        steps /= np.linalg.norm(steps, axis=1, keepdims=True)
        return np.degrees(np.arccos(np.clip((steps[1:] * steps[:-1]).sum(1), -1, 1))).mean()

    assert turning(rim, mean.verts.numpy()) < 0.6 * turning(raw, model.mean.numpy())


def test_maps_lie_on_the_face(reconstructor):
    face = reconstructor.reconstruct(torch.full((3, 240, 320), 0.5), landmarks=ROLLED)
    maps = geometry_maps(face, FaceRenderer(), reconstructor.face_model.face_region_faces)
    assert maps.depth.shape == (240, 320)
    inside = maps.normals[maps.mask]
    torch.testing.assert_close(inside.norm(dim=1), torch.ones(len(inside)), atol=1e-4, rtol=0)
    assert (inside[:, 2] < 0).float().mean() > 0.95  # toward the camera
    assert draw_normals(maps)[~maps.mask.numpy()].max() == 0
