"""What the local page does, without the page: uploads, changes, files, comparisons."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from tiny_networks import make_network

from mgc_lightning.app import uploads
from mgc_lightning.app.guard import is_loopback
from mgc_lightning.app.page import change_of, find_faces, show
from mgc_lightning.app.studio import Change, Studio, change_face, face_file, lit_colors, sliders_of
from mgc_lightning.errors import MGCError
from mgc_lightning.losses.identity import TEMPLATE_68
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.rendering.lighting import shade

HOSTILE = "<img src=x onerror=alert(1)>.png"


class Answers:
    """Find one face, always in the same place."""

    def detect(self, image, path=None):
        return [DetectedFace(torch.tensor(TEMPLATE_68).float() + 10)]


@pytest.fixture(scope="module")
def studio():
    first, second = (FaceReconstructor(Predictor.from_network(make_network()), Answers()) for _ in range(2))
    return Studio({"first": first, "second": second})


@pytest.fixture(scope="module")
def face(studio):
    return studio.look("a.png", torch.rand(3, 260, 240))[0]["first"]


def photo(folder, name, size=(240, 260)):
    path = folder / name[:3] / name
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)).save(path, format="PNG")
    return path


def test_uploads_are_removed_whatever_they_are(tmp_path, monkeypatch):
    good, bad = photo(tmp_path, "good.png"), tmp_path / "bad.jpg"
    bad.write_bytes(b"<html>no photograph</html>")
    (name, image), (_, trouble) = uploads.take_uploads([good, bad])
    assert (name, image.shape) == ("good.png", (3, 260, 240))
    assert isinstance(trouble, MGCError)
    assert str(tmp_path) not in str(trouble)
    assert not list(tmp_path.rglob("*.*"))
    many = [photo(tmp_path, f"{i:03d}.png", (8, 8)) for i in range(9)]
    with pytest.raises(MGCError, match="Up to 8 photographs at a time; got 9"):
        uploads.take_uploads(many)
    assert not list(tmp_path.rglob("*.png"))


def test_large_uploads(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_PIXELS", 1000)
    assert "240 x 260 px" in str(uploads.take_uploads([photo(tmp_path, "a.png")])[0][1])
    monkeypatch.setattr(uploads, "MOST_BYTES", 100)
    assert "up to 0 MiB" in str(uploads.take_uploads([photo(tmp_path, "a.png")])[0][1])


def test_faces_of_two_networks(studio, tmp_path):
    found, troubles = find_faces(studio, [photo(tmp_path, "a.png"), photo(tmp_path, HOSTILE)])
    assert [name for name, _ in found] == ["a.png", HOSTILE]
    assert not troubles
    shown = show(found, HOSTILE, ["<b>"])
    assert shown.count("<iframe") == 2
    assert shown.count("data:image/jpeg") == 2
    assert "Mean distance of the two faces: " in shown
    assert "<img src=x" not in shown
    assert "&lt;b&gt;" in shown


def test_expressions_move_what_they_name(face):
    sliders = sliders_of(face.face_model)
    assert list(sliders) == ["smile", "open mouth", "pucker", "frown", "raised brows", "closed eyes"]
    same = change_face(face, Change())
    torch.testing.assert_close(same.mesh.verts, face.mesh.verts, atol=1e-4, rtol=0)
    opened = change_face(face, Change({"open mouth": 1.0}))
    basis = face.face_model.expression_basis[list(sliders["open mouth"])].sum(0)
    torch.testing.assert_close(opened.mesh.verts - same.mesh.verts, basis, atol=1e-3, rtol=0)
    neutral = change_face(face, Change(own=0.0))
    torch.testing.assert_close(neutral.mesh.verts, face.face_model.shape(face.coefficients.identity), atol=1e-3, rtol=0)
    assert face.coefficients.expression.abs().sum() > 0  # the face itself is left alone


def test_light(face):
    torch.testing.assert_close(lit_colors(face, 0.0), face.colors, atol=1e-3, rtol=0)
    torch.testing.assert_close(lit_colors(face, 360.0), lit_colors(face, 0.0), atol=1e-4, rtol=0)
    assert lit_colors(change_face(face, Change(light=0.0)), 0.0).abs().max() == 0


def test_light_from_the_front_is_turned_to_the_viewers_right(face):
    front, back = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    bands = torch.eye(9)[1:4, None].expand(3, 3, 9).reshape(3, 27)
    along = [(shade(front, band) - shade(back, band)).mean() for band in bands]
    ahead = max(range(3), key=lambda i: abs(along[i]))
    light = torch.zeros(3, 9)
    light[:, 0], light[:, 1 + ahead] = 1.0, torch.sign(along[ahead])
    lit = replace(face, coefficients=replace(face.coefficients, light=light.reshape(-1)))
    right = (face.mesh.normals[:, 0] > 0.7)[:, None]
    ratio = [colors[right[:, 0]].mean() / colors.mean() for colors in (lit_colors(lit, 0.0), lit_colors(lit, 90.0))]
    assert ratio[1] > 1.2 * ratio[0]


@pytest.mark.parametrize("kind", ["obj", "glb"])
def test_files(face, kind):
    data = face_file(face, Change({"smile": 0.5}), kind)
    mesh = trimesh.load(io.BytesIO(data), file_type=kind, force="mesh", process=False)
    rows, triangles = face.surface()
    assert (len(mesh.vertices), len(mesh.faces)) == (len(rows), len(triangles))


def test_sliders_hold_what_comes():
    change = change_of(["smile"], [1e9, -5, 7, 1e9])
    assert (change.moved, change.own, change.light, change.turn) == ({"smile": 3.0}, 0.0, 2.0, 180.0)


def test_who_is_here():
    assert is_loopback("::1")
    assert not is_loopback("example.org")
