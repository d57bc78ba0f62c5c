import numpy as np
import pytest

from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.plain_obj import parse_plain_obj

PLAIN = b"# by hand\nmtllib a.mtl\nv 0 0 0\r\nv  1.5 0 -2e-3\nv 0 1 0.1\nvn 0 0 1\nvt 0 1\nusemtl b\nf 1 2 3\n"


def test_plain_files():
    verts, faces = parse_plain_obj(PLAIN)
    assert verts.tolist() == [[0, 0, 0], [1.5, 0, -0.002], [0, 1, 0.1]]
    assert faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("face", [b"f 1/1 2/2 3/3", b"f 1//1 2//1 3//1", b"f 1/1/1 2/2/1 3/3/1"])
def test_texture_and_normal_indices_are_ignored(face):
    assert parse_plain_obj(PLAIN.replace(b"f 1 2 3", face))[1].tolist() == [[0, 1, 2]]


def test_colours_stay_apart():
    verts, _ = parse_plain_obj(b"v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nf 1 2 3\n")
    assert verts.shape == (3, 6)


@pytest.mark.parametrize(
    "data",
    [
        b"v 0 0 0\nv 1 0 0 1\nv 0 1 0\nf 1 2 3\n",
        b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 3 4\n",
        b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n",
        b"v 0 0 0 # first\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        b"v 0 0 0\n  v 1 0 0\nv 0 1 0\nf 1 2 3\n",
        b"v\t0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        b"v 0 0 0\nv 1 0 \\\n0\nv 0 1 0\nf 1 2 3\n",
        b"v 0 0 0\nv 1 0 x\nv 0 1 0\nf 1 2 3\n",
        b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 2.5\n",
        b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n",
        b"no mesh at all\n",
        b"",
        bytes(range(256)),
    ],
)
def test_anything_else_is_left_to_the_careful_reader(data):
    assert parse_plain_obj(data) is None


def test_both_readers_agree(tmp_path):
    rng = np.random.default_rng(0)
    verts = rng.normal(size=(50, 3)) * 10.0 ** rng.integers(-4, 5, size=(50, 1))
    lines = [b"v %.17g %.17g %.17g\n" % tuple(row) for row in verts]
    faces = b"".join(b"f %d %d %d\n" % (i, i + 1, i + 2) for i in range(1, 48))
    plain, careful = tmp_path / "plain.obj", tmp_path / "careful.obj"
    plain.write_bytes(b"".join(lines) + faces)
    careful.write_bytes(b"".join(b"  " + line for line in lines) + faces)
    one, other = read_mesh(plain), read_mesh(careful)
    np.testing.assert_array_equal(one.verts, verts)
    np.testing.assert_array_equal(one.verts, other.verts)
    np.testing.assert_array_equal(one.faces, other.faces)
