"""Textured meshes: OBJ with MTL, PLY, GLB; what is drawn, what is counted, what is wrong."""

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from textured_scans import LEFT, RIGHT, write_scan, write_texture

from mgc_lightning.errors import MGCError
from mgc_lightning.files.textured import read_textured_mesh

SQUARE = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])
OBJ = "mtllib square.mtl\n" + "".join(f"v {x} {y} {z}\n" for x, y, z in SQUARE)
UV = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def color_at(mesh, vertex):
    """Read the texture at a vertex."""
    height, width = mesh.texture.shape[1:]
    u, v = mesh.uv[vertex]
    return mesh.texture[:, min(int(v * height), height - 1), min(int(u * width), width - 1)]


def quarters(path):
    """Paint the quarters of an image: red above left, green above right, blue below left, white below right."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4, 0] = picture[:4, 4:, 1] = picture[4:, :4, 2] = 255
    picture[4:, 4:] = 255
    Image.fromarray(picture).save(path)


def test_obj_keeps_the_vertices_of_the_file_and_splits_only_what_is_drawn(tmp_path):
    quarters(tmp_path / "square.png")
    (tmp_path / "square.mtl").write_text("newmtl a\nmap_Kd square.png\n")
    # Two triangles that share an edge, whose corners lie elsewhere in the texture.
    text = OBJ + UV + "vt .1 .1\nvt .2 .2\nusemtl a\nf 1/1 2/2 3/3\nf 1/5 3/6 4/4\n"
    (tmp_path / "square.obj").write_text(text)
    mesh = read_textured_mesh(tmp_path / "square.obj")
    assert mesh.points.tolist() == SQUARE.tolist()
    assert len(mesh.verts) == 6
    assert mesh.faces.shape == (2, 3)
    corners = {tuple(mesh.verts[i]): color_at(mesh, i).tolist() for i in mesh.faces[0]}
    # v counts from below in the file: the lower left corner is the lower left of the image.
    assert corners == {(0, 0, 0): [0, 0, 1], (2, 0, 0): [1, 1, 1], (2, 2, 0): [0, 1, 0]}


def test_two_materials_share_one_image(tmp_path):
    write_texture(tmp_path / "one.png", 8)
    Image.new("RGB", (4, 16), (0, 255, 0)).save(tmp_path / "two.png")
    (tmp_path / "square.mtl").write_text("newmtl a\nmap_Kd one.png\nnewmtl b\nmap_Kd two.png\nnewmtl c\nKd 1 0 1\n")
    text = OBJ + UV + "usemtl a\nf 1/1 2/2 3/3\nusemtl b\nf 1/1 3/3 4/4\nusemtl c\nf 2/2 3/3 4/4\n"
    (tmp_path / "square.obj").write_text(text)
    mesh = read_textured_mesh(tmp_path / "square.obj")
    assert mesh.texture.shape[1] == 16
    by_face = [[color_at(mesh, i) for i in face] for face in mesh.faces]
    greens = [all(color.tolist() == [0, 1, 0] for color in colors) for colors in by_face]
    violets = [all(color.tolist() == [1, 0, 1] for color in colors) for colors in by_face]
    assert sorted(greens) == sorted(violets) == [False, False, True]
    first = by_face[[g or v for g, v in zip(greens, violets, strict=True)].index(False)]
    assert {tuple((255 * color).round().int().tolist()) for color in first} == {LEFT, RIGHT}


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
def test_vertex_colours(tmp_path, suffix):
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], vertex_colors=colors, process=False).export(tmp_path / f"s{suffix}")
    mesh = read_textured_mesh(tmp_path / f"s{suffix}")
    assert mesh.texture is None
    assert np.abs(mesh.colors - colors / 255).max() < 5e-3
    assert mesh.points.tolist() == SQUARE.tolist()


def test_ply_with_an_image_and_places_of_its_corners(tmp_path):
    quarters(tmp_path / "square.png")
    head = ["ply", "format ascii 1.0", "comment TextureFile square.png", "element vertex 4"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += ["element face 2", "property list uchar int vertex_indices", "property list uchar float texcoord"]
    rows = [" ".join(map(str, row)) for row in SQUARE.tolist()]
    faces = ["3 0 1 2 6 0 0 1 0 1 1", "3 0 2 3 6 0 0 1 1 0 1"]
    (tmp_path / "s.ply").write_text("\n".join([*head, "end_header", *rows, *faces, ""]))
    mesh = read_textured_mesh(tmp_path / "s.ply")
    assert mesh.points.tolist() == SQUARE.tolist()
    colors = {tuple(mesh.verts[i]): color_at(mesh, i).tolist() for i in mesh.faces.ravel()}
    assert colors[0, 0, 0] == [0, 0, 1]
    assert colors[0, 2, 0] == [1, 0, 0]


def test_glb_is_placed_by_its_nodes_and_counts_each_point_once(tmp_path):
    quarters(tmp_path / "q.png")
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.open(tmp_path / "q.png"))
    uv = np.array([[0, 0], [1, 0], [1, 1], [0.1, 0.1], [0.9, 0.9], [0, 1]])
    verts, faces = SQUARE[[0, 1, 2, 0, 2, 3]], np.arange(6).reshape(2, 3)
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    scene = trimesh.Scene()
    part = trimesh.Trimesh(verts, faces, visual=visual, process=False)
    scene.add_geometry(part, transform=np.diag([0.001, 0.001, 0.001, 1]))
    scene.export(tmp_path / "s.glb")
    mesh = read_textured_mesh(tmp_path / "s.glb")
    assert np.allclose(sorted(mesh.points.tolist()), sorted((SQUARE / 1000).tolist()))
    lower_left = int(np.flatnonzero(np.abs(mesh.verts).sum(1) < 1e-9)[0])
    assert color_at(mesh, lower_left).tolist() == [0, 0, 1]


def test_a_scan_of_the_helper(tmp_path):
    _, _, verts = write_scan(tmp_path)
    mesh = read_textured_mesh(tmp_path / "head.obj")
    assert np.abs(mesh.points - verts).max() < 1e-5
    assert torch.is_tensor(mesh.texture)


def remove(name):
    return lambda folder: (folder / name).unlink()


def without_colours(folder):
    trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], process=False).export(folder / "head.obj")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("head.png"), "head.png is not there"),
        (remove("head.mtl"), "head.mtl are not there"),
        (remove("head.obj"), "no such scan"),
        (without_colours, "neither a texture image nor colours"),
        (lambda folder: (folder / "head.png").write_bytes(b"no image"), "head.png is not there, or is no image"),
        (lambda folder: (folder / "head.obj").write_text("v 1 2\n"), "fewer than three numbers"),
    ],
)
def test_errors_name_the_file_and_the_remedy(tmp_path, spoil, message):
    write_scan(tmp_path)
    spoil(tmp_path)
    with pytest.raises(MGCError, match=message) as error:
        read_textured_mesh(tmp_path / "head.obj")
    assert "head.obj" in str(error.value)


def test_only_meshes(tmp_path):
    with pytest.raises(MGCError, match=r"expected a scan among .* got '\.stl'"):
        read_textured_mesh(tmp_path / "head.stl")
