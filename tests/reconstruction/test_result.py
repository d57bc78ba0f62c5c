"""A reconstruction shows itself, writes itself, and becomes a mesh of trimesh."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.losses.identity import TEMPLATE_68


@pytest.fixture
def face(reconstructor, photo):
    points = np.array(TEMPLATE_68) + [40, 10]
    return reconstructor.reconstruct(photo, landmarks=points)


def test_it_is_told_in_a_line(face):
    text = repr(face)
    assert len(text) < 160
    assert text.startswith("Reconstruction(photograph 320 x 240 px, face at [")
    assert f"makehuman of {len(face.mesh.verts)} vertices" in text


def test_a_notebook_shows_picture_and_viewer(face):
    shown = face._repr_html_()
    # All that it refers to is inside.
    for address in re.findall(r'(?:src|href)="([^"]*)"', shown):
        assert address.startswith("data:image/jpeg;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]*)", shown)[1])))
    assert picture.size == (320, 240)
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    data = json.loads(re.search(r'id="face">(.*?)</script>', page, re.DOTALL)[1])
    rows, triangles = face.surface()
    corners = np.frombuffer(base64.b64decode(data["corners"]), "<u2").reshape(-1, 3)
    np.testing.assert_array_equal(corners, triangles)
    places = np.frombuffer(base64.b64decode(data["places"]), "<i2").reshape(-1, 3) * data["unit"]
    verts = face.mesh.verts[rows].numpy()
    np.testing.assert_allclose(places, verts - (verts.min(0) + verts.max(0)) / 2, atol=0.01)
    colours = np.frombuffer(base64.b64decode(data["colours"]), np.uint8).reshape(-1, 3)
    np.testing.assert_allclose(colours / 255, face.colors[rows], atol=0.003)


def test_it_writes_itself(face, tmp_path):
    files = face.save(tmp_path / "anna", write=["mesh", "overlay"], neutral=True)
    names = {file.name for file in files}
    assert names == {"overlay.png", "face.obj", "face.ply", "face.glb", "neutral.obj"}
    with pytest.raises(MGCError, match="`write` must be one of"):
        face.save(tmp_path, write=["meshes"])


def test_it_becomes_a_mesh_of_trimesh(face):
    mesh, head = face.to_trimesh(), face.to_trimesh(whole=True)
    rows, _ = face.surface()
    np.testing.assert_allclose(mesh.vertices, face.mesh.verts[rows])
    np.testing.assert_array_equal(head.faces, face.mesh.faces)
    np.testing.assert_allclose(head.visual.vertex_colors[:, :3] / 255, face.colors, atol=0.003)
    assert len(mesh.vertices) < len(head.vertices)
