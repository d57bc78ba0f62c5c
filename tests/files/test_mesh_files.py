"""Meshes travel through files unchanged: order, colours, exact positions; bad files give one clear error."""

import numpy as np
import pytest
import torch
import trimesh

from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh, write_mesh


@pytest.fixture
def mesh():
    rng = np.random.default_rng(0)
    verts = (rng.normal(size=(50, 3)) * 100).astype(np.float32)
    verts[7] = verts[3]  # duplicates must survive
    faces = rng.permuted(np.tile(np.arange(50), (20, 1)), axis=1)[:, :3]
    return verts, faces, rng.uniform(size=(50, 3))


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_round_trip_keeps_order_positions_and_colours(tmp_path, mesh, suffix):
    verts, faces, colors = mesh
    path = write_mesh(tmp_path / "deep" / f"Ärger mit Leerzeichen{suffix}", torch.tensor(verts), faces, colors)
    found = read_mesh(path)
    np.testing.assert_array_equal(found.verts.astype(np.float32), verts)
    np.testing.assert_array_equal(found.faces, faces)
    tolerance = {".obj": 1e-6, ".ply": 0.5 / 255 + 1e-9, ".glb": 0.025}[suffix]
    # 8 bits of linear light are coarse in the dark, where nobody looks
    bright = colors > 0.02
    np.testing.assert_allclose(found.colors[bright], colors[bright], atol=tolerance)


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_without_colours(tmp_path, mesh, suffix):
    verts, faces, _ = mesh
    assert read_mesh(write_mesh(tmp_path / f"a{suffix}", verts, faces)).colors is None


def test_glb_is_metres_for_viewers_and_not_a_metal(tmp_path, mesh):
    verts, faces, colors = mesh
    scene = trimesh.load_scene(write_mesh(tmp_path / "a.glb", verts, faces, colors))
    np.testing.assert_allclose(scene.extents, np.ptp(verts[np.unique(faces)], axis=0) / 1000, rtol=1e-5)
    assert next(iter(scene.geometry.values())).visual.material.metallicFactor == 0


def test_obj_dialects(tmp_path):
    path = tmp_path / "scan.obj"
    path.write_bytes(
        b"# a scan\r\nmtllib x.mtl\r\n\r\nv 0 0 0\r\nv\t1 0 0\r\nv 1 1 0 # corner\r\nv 0 1 0\r\nvt 0 0\r\n"
        b"vn 0 0 1\r\ng face\r\nf 1/1/1 2/1/1 3/1/1 4/1/1\r\nf -4//1 -3//1 -1//1\r\nf 1/2 2/2 3/2\r\n"
    )
    found = read_mesh(path)
    assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert found.verts.shape == (4, 3)
    assert found.colors is None


def test_obj_keeps_doubles(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0.1234567890123 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert read_mesh(path).verts[0, 0] == 0.1234567890123


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_obj_colours_of_either_range(tmp_path, scale):
    path = tmp_path / "a.obj"
    path.write_text("".join(f"v {i} 0 {i * i} {scale} {scale * 0.5} 0\n" for i in range(3)) + "f 1 2 3\n")
    np.testing.assert_allclose(read_mesh(path).colors, [[1, 0.5, 0]] * 3)


def test_obj_with_homogeneous_coordinate_and_mixed_lines(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0 1\nv 1 0 0 1\nv 0 1 0 1\nf 1 2 3\n")
    assert read_mesh(path).verts[1].tolist() == [1, 0, 0]
    path.write_text("v 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    found = read_mesh(path)
    assert found.colors is None
    assert found.verts.shape == (3, 3)


def test_ascii_ply_with_quads(tmp_path):
    path = tmp_path / "a.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n"
    )
    assert sorted(read_mesh(path).faces.tolist()) == [[0, 1, 2], [0, 2, 3]]


def test_points_only_on_request(tmp_path):
    path = tmp_path / "keypoints.obj"
    path.write_text("v 0 0 0\nv 1 2 3\n")
    assert read_mesh(path, require_faces=False).faces.shape == (0, 3)
    with pytest.raises(MGCError, match="triangles"):
        read_mesh(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.obj", b"", "no `v` line"),
        ("a.obj", b"just some words\n", "no `v` line"),
        ("a.obj", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "vertex 0 is not finite"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "names vertex 8"),
        ("a.obj", b"v 0 0 0\nf 1 0 2\n", "line 2"),
        ("a.obj", b"v 0 zero 0\n", "line 1"),
        ("a.obj", b"v 0 0\n", "fewer than three"),
        ("a.ply", b"not a ply\n", "could not be read"),
        ("a.ply", b"", "could not be read"),
        ("a.glb", b"glTF", "could not be read"),
        ("a.stl", b"solid", "expected a mesh file among"),
    ],
)
def test_bad_files_give_one_clear_error(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MGCError, match=message):
        read_mesh(tmp_path / name)


def test_missing_file(tmp_path):
    with pytest.raises(MGCError, match="no such mesh file"):
        read_mesh(tmp_path / "nowhere.obj")


def test_bad_meshes_are_not_written(tmp_path, mesh):
    verts, faces, colors = mesh
    bad = verts.copy()
    bad[3, 1] = np.nan
    for arguments in [(bad, faces), (verts[:0], faces), (verts, faces + 40), (verts, faces, colors[:3])]:
        with pytest.raises(MGCError):
            write_mesh(tmp_path / "a.obj", *arguments)
    with pytest.raises(MGCError, match="suffix"):
        write_mesh(tmp_path / "a.fbx", verts, faces)
    assert list(tmp_path.iterdir()) == []
