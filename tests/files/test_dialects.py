"""Dialects of mesh files whose values were once silently wrong: each kind with its right value."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.files.textured import read_textured_mesh

VERTS = [[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 2]]
PLAIN = "v 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 2\nf 1 2 3\nf 1 3 4\n"
FACES = [[0, 1, 2], [0, 2, 3]]
RED = [[1.0, 0.2, 0.0]] * 4


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        ("\ufeff" + PLAIN).encode("utf-16-le"),
        PLAIN.replace("v 0 1 0\n", "v 0 1 0#5\n").replace("3\n", "3#4 4\n").encode(),
        PLAIN.replace("0\n", "0 # 1 2 3\n").encode(),
        PLAIN.replace("v 0 0 2", "v 0 0 2 #1 #2 #3").encode(),
        f"# a\u2028v 9 9 9\n#\u0085v 8 8 8\n# \x0cv 7 7 7\n#\x0bf 1 1 1\n{PLAIN}# f\u2029f 1 2 4\n".encode(),
        f"  v 1 0 0\n# a\u2028v 9 9 9\n{PLAIN[8:]}".encode(),
        f"# C:\\scans\\\n{PLAIN}".encode(),
        PLAIN.replace("1 1 0", "1 \\\n1 0 # corner").encode(),
        PLAIN.replace("\n", "\r").encode(),
        ("  " + PLAIN).replace("\n", "\r").replace("\rv", "\r v").encode(),
        b"# \xe9\xff\n" + PLAIN.encode(),
    ],
)
def test_obj_marks_comments_and_ends_of_lines(tmp_path, data):
    (tmp_path / "a.obj").write_bytes(data)
    found = read_mesh(tmp_path / "a.obj")
    assert found.verts.tolist() == VERTS
    assert found.faces.tolist() == FACES
    assert found.colors is None


@pytest.mark.parametrize(
    "colour", ["1 .2 0", "1 .2 0 1", "1 .2 0 .5", "255 51 0", "255 51 0 255", "255 51 0 1", "255.0 51.0 0.0 255.0"]
)
def test_obj_colours(tmp_path, colour):
    lines = "".join(f"v {x} {y} {z} {colour}\n" for x, y, z in VERTS)
    (tmp_path / "a.obj").write_text(lines + "f 1 2 3\nf 1 3 4\n")
    for found in (read_mesh(tmp_path / "a.obj"), read_textured_mesh(tmp_path / "a.obj")):
        np.testing.assert_allclose(found.colors, RED, atol=1e-12)
        assert found.verts.tolist() == VERTS


def test_obj_colours_after_a_weight_and_brighter_than_white(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0 1 1 .5 0\nv 1 0 0 1 .5 0 .25\nv 0 1 0 1 1 1 .5\nf 1 2 3\n")
    assert read_mesh(tmp_path / "a.obj").colors.tolist() == [[1, 0.5, 0], [0.5, 0, 0.25], [1, 1, 0.5]]
    (tmp_path / "a.obj").write_text("v 0 0 0 1.01 .5 0\nv 1 0 0 .5 0 .25\nv 0 1 0 1 1 .5\nf 1 2 3\n")
    assert read_mesh(tmp_path / "a.obj").colors.tolist() == [[1, 0.5, 0], [0.5, 0, 0.25], [1, 1, 0.5]]


def test_a_textured_obj_is_tidied_too(tmp_path):
    Image.new("RGB", (4, 4), (255, 51, 0)).save(tmp_path / "skin#1.png")
    (tmp_path / "a.mtl").write_text("newmtl skin#1\nmap_Kd skin#1.png\n")
    faces = "usemtl skin#1\nf 1/1 2/2 3/3#4/4\nf 1/1 3/3 4/1 # 2/2\n"
    text = "\ufeff# by\u2028v 9 9 9\nmtllib a.mtl\n" + PLAIN[:32] + "vt 0 0\nvt 1 0 # .5\nvt 1 1\n" + faces
    (tmp_path / "a.obj").write_bytes(text.encode())
    found = read_textured_mesh(tmp_path / "a.obj")
    assert found.points.tolist() == VERTS
    assert sorted(map(sorted, found.verts[found.faces].tolist())) == sorted(
        map(sorted, np.array(VERTS)[FACES].tolist())
    )
    assert found.texture[:, 0, 0].tolist() == pytest.approx([1.0, 0.2, 0.0])


def test_a_now_scan_with_a_mark_keeps_its_first_vertex(tmp_path):
    rng = np.random.default_rng(0)
    verts = rng.normal(size=(300, 3)).round(3) * 30
    marks = np.concatenate([verts[:1], rng.normal(size=(6, 3)) * 20])
    points = "".join('<point x="%g" y="%g" z="%g"/>' % tuple(mark) for mark in marks)  # noqa: UP031
    lines = "".join("v %.9g %.9g %.9g\n" % tuple(vert) for vert in verts)  # noqa: UP031
    kept = []
    for name, mark in (("anna", b""), ("ben", b"\xef\xbb\xbf")):
        (tmp_path / "scans" / name).mkdir(parents=True)
        (tmp_path / "scans_lmks_onlypp" / name).mkdir(parents=True)
        (tmp_path / "scans" / name / "s.obj").write_bytes(mark + lines.encode())
        (tmp_path / "scans_lmks_onlypp" / name / "s.pp").write_text(points)
        kept.append(NoWDataset(tmp_path).scan(name).points)
    np.testing.assert_array_equal(*kept)


def ply(kind, colors, polygons, order=""):
    """Write a PLY of the four vertices, by hand."""
    form = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    lines = ["ply", f"format {form} 1.0", "comment by\u2028element vertex 9", "element vertex 4"]
    lines += [f"property double {axis}" for axis in "xyz"]
    lines += [f"property {kind} {name}" for name in ("red", "green", "blue")]
    lines += [f"element face {len(polygons)}", "property list uchar int vertex_indices", "end_header", ""]
    head = "\n".join(lines).encode()
    if not order:
        rows = [" ".join(map(str, (*vert, *color))) for vert, color in zip(VERTS, colors, strict=True)]
        return head + "\n".join([*rows, *(" ".join(map(str, (len(p), *p))) for p in polygons), ""]).encode()
    code = {"float": "f", "double": "d", "uchar": "B", "ushort": "H", "int": "i"}[kind]
    rows = [struct.pack(f"{order}3d3{code}", *vert, *color) for vert, color in zip(VERTS, colors, strict=True)]
    return head + b"".join([*rows, *(struct.pack(f"{order}B{len(p)}i", len(p), *p) for p in polygons)])


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize(
    ("kind", "color"),
    [("uchar", (255, 51, 0)), ("float", (1.0, 0.2, 0.0)), ("double", (1.0, 0.2, 0.0)), ("ushort", (65535, 13107, 0)),
     ("ushort", (255, 51, 0)), ("float", (255.0, 51.0, 0.0)), ("int", (255, 51, 0))],
)  # fmt: skip
def test_ply_colours(tmp_path, order, kind, color):
    (tmp_path / "a.ply").write_bytes(ply(kind, [color] * 4, FACES, order))
    for found in (read_mesh(tmp_path / "a.ply"), read_textured_mesh(tmp_path / "a.ply")):
        np.testing.assert_allclose(found.colors, RED, atol=1e-6)
        assert found.verts.tolist() == VERTS
        assert found.faces.tolist() == FACES


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_ply_with_triangles_beside_quads_keeps_their_order(tmp_path, order):
    for polygons, triangles in (
        ([(0, 1, 2), (0, 1, 2, 3), (1, 2, 3)], [[0, 1, 2], [0, 1, 2], [0, 2, 3], [1, 2, 3]]),
        ([(3, 2, 1, 0), (0, 1, 2)], [[3, 2, 1], [3, 1, 0], [0, 1, 2]]),
        ([(0, 1, 2, 3), (3, 2, 1, 0)], [[0, 1, 2], [0, 2, 3], [3, 2, 1], [3, 1, 0]]),
    ):
        (tmp_path / "a.ply").write_bytes(ply("uchar", [(255, 51, 0)] * 4, polygons, order))
        for found in (read_mesh(tmp_path / "a.ply"), read_textured_mesh(tmp_path / "a.ply")):
            assert found.faces.tolist() == triangles


def test_ply_colours_of_other_names(tmp_path):
    data = ply("uchar", [(255, 51, 0)] * 4, FACES)
    for names in (b"diffuse_red diffuse_green diffuse_blue".split(), b"r g b".split()):
        text = data
        for old, new in zip((b"red", b"green", b"blue"), names, strict=True):
            text = text.replace(b" " + old, b" " + new)
        (tmp_path / "a.ply").write_bytes(text)
        np.testing.assert_allclose(read_mesh(tmp_path / "a.ply").colors, RED)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-3], "cut off, or damaged"),
        (lambda data: data + b"\0", "1 bytes follow what its header counts"),
        (lambda data: data.replace(b"element vertex 4", b"element vertex 4000000000000"), "4000000000000 of `vertex`"),
        (lambda data: data.replace(b"element face 2", b"element face 5"), "cut off, or damaged"),
        (
            lambda data: data.replace(b"property list uchar int", b"property list float int"),
            "could not be read|damaged",
        ),
        (lambda data: data.replace(b"property double x", b"property what x"), "property what x"),
        (lambda data: data.replace(b"format binary_little_endian", b"format binary_middle"), "binary_middle"),
        (lambda data: data.replace(b"end_header", b"end"), "does not begin as a PLY"),
        (lambda data: data.replace(b"property double z", b"property double w"), "vertices x, y and z"),
    ],
)
def test_a_damaged_ply_is_one_message(tmp_path, spoil, message):
    (tmp_path / "a.ply").write_bytes(spoil(ply("uchar", [(255, 51, 0)] * 4, [(0, 1, 2), (0, 1, 2, 3)], "<")))
    with pytest.raises(MGCError, match=message):
        read_mesh(tmp_path / "a.ply")


def test_an_ascii_ply_is_not_read_across_its_lines(tmp_path):
    data = ply("uchar", [(255, 51, 0)] * 4, FACES)
    (tmp_path / "a.ply").write_bytes(data.replace(b"1 0 255", b"1 255").replace(b"3 0 1 2", b"3 0 1 2 7"))
    with pytest.raises(MGCError, match="too few numbers"):
        read_mesh(tmp_path / "a.ply")


def glb(colors, normalized):
    """Write a triangle with colours of a type, by hand: trimesh writes bytes alone."""
    kinds = {"u1": 5121, "u2": 5123, "f4": 5126}
    views = [np.array(VERTS[:3], "<f4"), np.ascontiguousarray(colors), np.array([0, 1, 2], "<u4")]
    chunks = [view.tobytes() + b"\0" * (-view.nbytes % 4) for view in views]
    starts = np.cumsum([0, *map(len, chunks)]).tolist()
    shape = {"count": 3, "type": f"VEC{colors.shape[1]}", "normalized": normalized}
    content = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": kinds[colors.dtype.str[1:]], **shape},
            {"bufferView": 2, "componentType": 5125, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": s, "byteLength": len(c)} for s, c in zip(starts, chunks, strict=False)
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + starts[-1], len(text), b"JSON")
    return head + text + struct.pack("<I4s", starts[-1], b"BIN\0") + b"".join(chunks)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("kind", "white"), [("u1", 255), ("u2", 65535), ("f4", 1)])
def test_glb_colours(tmp_path, kind, white, channels):
    linear = np.array([1.0, 0.2140411, 0.0, 1.0])  # .5 in display space
    values = np.tile(linear[:channels] * white, (3, 1))
    values = (values if kind == "f4" else values.round()).astype(f"<{kind}")
    (tmp_path / "a.glb").write_bytes(glb(values, kind != "f4"))
    for found in (read_mesh(tmp_path / "a.glb"), read_textured_mesh(tmp_path / "a.glb")):
        np.testing.assert_allclose(found.colors, [[1.0, 0.5, 0.0]] * 3, atol=2e-3 if kind == "u1" else 1e-5)


def test_glb_colours_beside_a_material_come_back(tmp_path):
    path = write_mesh(tmp_path / "a.glb", VERTS, FACES, RED)
    for found in (read_mesh(path), read_textured_mesh(path)):
        np.testing.assert_allclose(found.colors[0], RED[0], atol=0.01)
