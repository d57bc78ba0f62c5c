"""The viewer in a browser: what it draws, how it turns, what it asks for."""

import numpy as np
import pytest
from browser import Browser, needs_browser

from mgc_lightning.errors import MGCError
from mgc_lightning.pictures.viewer import viewer_data, viewer_frame, viewer_page

RED, BLUE = (255, 0, 0), (0, 0, 255)
# A red triangle at the left of the face's front, a blue one at the right, and a green one behind both.
FRONT = [[-9, -9, 1], [-1, -9, 1], [-5, 9, 1], [1, -9, 1], [9, -9, 1], [5, 9, 1]]
VERTS = np.array([*FRONT, [-9, -9, -3], [9, -9, -3], [0, 9, -3.0]])
COLORS = np.repeat([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]], 3, axis=0)
FACES = np.arange(9).reshape(3, 3)


def near(picture, color):
    return (np.abs(picture - np.array(color)) < 40).all(-1)


def write(path, text):
    path.write_text(text)
    return path.as_uri()


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_it_draws_turns_and_grows(tmp_path, dark):
    page = write(tmp_path / "face.html", viewer_page(viewer_data(VERTS, FACES, COLORS, "three")))
    with Browser(400, 400, dark) as browser:
        browser.open(page)
        browser.wait("count > 0 && picture !== null")
        browser.run("turning = false; yaw = 0; wanted = true")
        browser.run("new Promise(done => setTimeout(done, 150))")
        seen = browser.picture()
        assert near(seen[20:60, 20:60], (27, 30, 36) if dark else (243, 244, 246)).all()
        red, blue = near(seen, RED), near(seen, BLUE)
        assert 3000 < red.sum() < 40000
        assert abs(int(red.sum()) - int(blue.sum())) < 0.05 * red.sum()
        assert np.argwhere(red)[:, 1].max() < 200 < np.argwhere(blue)[:, 1].min()  # x is to the right
        assert np.argwhere(red)[:, 0].mean() > 210  # and y up: the triangles are broad below
        browser.mouse("mouseWheel", 200, 200, deltaX=0, deltaY=-400)
        browser.run("new Promise(done => setTimeout(done, 200))")
        assert near(browser.picture(), RED).sum() > 1.3 * red.sum()
        browser.mouse("mousePressed", 200, 200, button="left", buttons=1, clickCount=1)
        browser.mouse("mouseMoved", 300, 200, button="left", buttons=1)
        browser.mouse("mouseReleased", 300, 200, button="left", clickCount=1)
        assert browser.run("yaw") == pytest.approx(1.0)
        assert not browser.complaints()
        assert browser.requests() == [page]


@needs_browser
def test_it_turns_by_itself_unless_motion_is_unwanted(tmp_path):
    page = write(tmp_path / "face.html", viewer_page(viewer_data(VERTS, FACES, COLORS)))
    with Browser(300, 300) as browser:
        browser.open(page)
        browser.wait("Math.abs(yaw) > 0.1")
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        before = browser.run("new Promise(done => setTimeout(() => done(yaw), 200))")
        assert browser.run("new Promise(done => setTimeout(() => done(yaw), 300))") == before


@needs_browser
def test_the_page_around_it_changes_the_mesh(tmp_path):
    frame = viewer_frame(viewer_data(VERTS, FACES, COLORS))
    green = viewer_data(VERTS, FACES, np.tile([0.0, 1.0, 0.0], (9, 1)))
    script = f"<script>const send = () => frames[0].postMessage({{mgcFace: {green!r}}}, '*');</script>"
    page = write(tmp_path / "page.html", f"<!doctype html><body>{frame}{script}".replace("False", "false"))
    with Browser(500, 420) as browser:
        browser.open(page)
        browser.run("new Promise(done => setTimeout(done, 600))")
        assert near(browser.picture(), RED).sum() > 1000
        browser.run("send()")
        browser.run("new Promise(done => setTimeout(done, 400))")
        assert not near(browser.picture(), RED).any()


def test_what_it_cannot_show():
    with pytest.raises(MGCError, match="not finite"):
        viewer_data(np.full((3, 3), np.nan), FACES[:1])
    with pytest.raises(MGCError, match="names vertex 8, but there are 3"):
        viewer_data(VERTS[:3], FACES)
    with pytest.raises(MGCError, match="up to 120000 triangles"):
        viewer_data(VERTS, np.repeat(FACES, 50_000, axis=0))
