"""Heads, plans and photographs of the scan benchmark."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from textured_scans import LEFT, RIGHT, rigid_motion, write_scan

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.backgrounds import draw_background
from mgc_lightning.evaluation.scan.camera import take_photograph
from mgc_lightning.evaluation.scan.heads import UPRIGHT, read_head
from mgc_lightning.evaluation.scan.photo_set import take_photographs
from mgc_lightning.evaluation.scan.plan import camera_around, plan_photographs
from mgc_lightning.evaluation.scan.points import find_points, read_scan_points
from mgc_lightning.evaluation.scan.settings import PhotographSettings, ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.surfaces import painted_surface, scan_surface
from mgc_lightning.metrics.now.landmarks import INDEX_IN_68

SMALL = PhotographSettings(image_size=96, distances=(0.4, 2.0), yaws=(-40.0, 0.0, 40.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    return folder


@pytest.fixture(scope="module")
def head(folder):
    return read_head(folder / "head.obj")


@pytest.fixture(scope="module")
def surface(head):
    return scan_surface(head.mesh, head.T_head_scan)


def a_plan(head, yaw=0, **settings):
    kept = {"image_size": 128, "distances": (0.7,), "yaw_jitter": 0.0, "pitch": 0.0, "roll": 0.0, "noise": 0.0}
    return plan_photographs(head.name, PhotographSettings(yaws=(float(yaw),), quality=(95, 95), **kept | settings))


POINTS = np.arange(204.0).reshape(68, 3)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.json", lambda path: path.write_text(json.dumps({"landmarks68": POINTS.tolist(), "scale_to_mm": 10}))),
        ("a.json", lambda path: path.write_text(json.dumps(POINTS.tolist()))),
        ("a.txt", lambda path: np.savetxt(path, POINTS, header="x y z")),
        ("a.txt", lambda path: np.savetxt(path, POINTS, delimiter=",")),
        ("a.npy", lambda path: np.save(path, POINTS)),
    ],
)
def test_points_in_every_form(tmp_path, name, write):
    write(tmp_path / name)
    points = read_scan_points(tmp_path / name)
    assert points.landmarks68.tolist() == POINTS.tolist()
    assert points.landmarks7.tolist() == POINTS[list(INDEX_IN_68)].tolist()
    assert points.scale_to_mm in (None, 10)


def test_seven_points_alone_and_both(tmp_path):
    seven = POINTS[:7] + 1
    np.save(tmp_path / "a.npy", seven)
    assert read_scan_points(tmp_path / "a.npy").landmarks68 is None
    (tmp_path / "b.json").write_text(json.dumps({"landmarks68": POINTS.tolist(), "landmarks7": seven.tolist()}))
    assert read_scan_points(tmp_path / "b.json").landmarks7.tolist() == seven.tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"landmarks5": []}', "expected `landmarks7` or `landmarks68`"),
        ("a.json", "[[1, 2, 3]]", r"got \(1, 3\)"),
        ("a.json", "{", r"a\.json: no JSON"),
        ("a.json", '{"landmarks7": [[0, 0, "x"]]}', "expected points"),
        ("a.txt", "1 2 3\n4 5\n", "could not be read as points"),
        ("a.csv", "", "expected points as one of"),
    ],
)
def test_bad_points(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(MGCError, match=message):
        read_scan_points(tmp_path / name)


def test_points_are_looked_for_beside_the_scan(tmp_path):
    with pytest.raises(MGCError, match="no points beside it"):
        find_points(tmp_path / "a.obj")
    np.save(tmp_path / "a_landmarks.npy", POINTS)
    assert find_points(tmp_path / "a.obj").name == "a_landmarks.npy"


def test_a_head_looks_ahead_in_its_frame(head):
    R, t = rigid_motion()
    turned = head.T_head_scan[:3, :3] @ R
    # The frame undoes the motion of the scanner, but for what the person's points differ from the usual ones.
    assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) < 8
    seven = head.landmarks7 @ head.T_head_scan[:3, :3].T + head.T_head_scan[:3, 3]
    assert np.abs(seven - UPRIGHT).max() < 12
    assert np.linalg.det(head.T_head_scan[:3, :3]) == pytest.approx(1)


def test_units(tmp_path, head):
    write_scan(tmp_path, scale=0.001)
    with pytest.raises(MGCError, match=r"outer eye corners are 0\.0.* it looks like m.*`unit`"):
        read_head(tmp_path / "head.obj")
    metres = read_head(tmp_path / "head.obj", unit="m")
    assert np.abs(metres.mesh.points - head.mesh.points).max() < 1e-2
    content = json.loads((tmp_path / "head.json").read_text())
    (tmp_path / "head.json").write_text(json.dumps(content | {"scale_to_mm": 1000}))
    assert np.abs(read_head(tmp_path / "head.obj").landmarks7 - head.landmarks7).max() < 1e-2


def test_a_glb_is_in_metres(folder, head, tmp_path):
    scene = trimesh.load_scene(folder / "head.obj", process=False)
    scene.apply_scale(0.001)
    scene.export(tmp_path / "head.glb")
    content = json.loads((folder / "head.json").read_text())
    np.save(tmp_path / "head.npy", np.array(content["landmarks68"]) / 1000)
    found = read_head(tmp_path / "head.glb")
    assert np.abs(found.landmarks7 - head.landmarks7).max() < 1e-2
    assert np.abs(found.mesh.verts.mean(0) - head.mesh.verts.mean(0)).max() < 1
    assert len(found.mesh.points) <= len(head.mesh.points)


def test_points_that_do_not_belong_to_the_scan(tmp_path):
    write_scan(tmp_path)
    content = json.loads((tmp_path / "head.json").read_text())
    seven = np.array(content["landmarks7"])
    (tmp_path / "swapped.json").write_text(json.dumps(seven[[3, 2, 1, 0, 4, 6, 5]].tolist()))
    with pytest.raises(MGCError, match="right and left seem swapped"):
        read_head(tmp_path / "head.obj", tmp_path / "swapped.json")
    (tmp_path / "away.json").write_text(json.dumps((seven + 100).tolist()))
    with pytest.raises(MGCError, match="mm off the surface"):
        read_head(tmp_path / "head.obj", tmp_path / "away.json")


def test_a_coarse_scan_votes_by_its_surface(folder, head):
    assert head.sampled
    vertices = read_head(folder / "head.obj", votes="vertices")
    assert not vertices.sampled
    assert set(map(tuple, vertices.scan.points)) <= set(map(tuple, vertices.mesh.points))
    assert len(vertices.scan.points) < 4000 < 10_000 < len(head.scan.points)
    again = read_head(folder / "head.obj")
    assert (again.scan.points == head.scan.points).all()
    assert not np.array_equal(read_head(folder / "head.obj", seed=1).scan.points, head.scan.points)


def test_the_plan_keeps_its_word(head):
    plans = plan_photographs("head", SMALL)
    assert len(plans) == 2 * 2 * 3
    assert len({plan.name for plan in plans}) == len(plans)
    for plan in plans:
        # The camera stands at the distance from the face when it looks at it, a little farther when it is turned.
        centre = plan.T_cam_head[:3, :3] @ np.mean(UPRIGHT, axis=0) + plan.T_cam_head[:3, 3]
        assert abs(np.linalg.norm(centre) - plan.distance) < 35
        forward = plan.T_cam_head[:3, :3] @ [0, 0, 1]
        assert np.degrees(np.arctan2(forward[0], -forward[2])) == pytest.approx(plan.yaw, abs=4)
        # 320 to 420 mm high at the face.
        assert 320 <= 96 * plan.distance / plan.K[0, 0] <= 420
    frontal = [plan for plan in plans if abs(plan.yaw) <= 5]
    for plan in frontal:
        centre = plan.T_cam_head[:3, :3] @ np.mean(UPRIGHT, axis=0) + plan.T_cam_head[:3, 3]
        assert centre[2] == pytest.approx(plan.distance, abs=2)
    moments = {plan.moment: plan.light for plan in plans}
    assert len(moments) == len({light.direction for light in moments.values()}) == 4
    assert {light.kind for light in moments.values()} == {"soft", "side"}
    assert all(plan.light == moments[plan.moment] for plan in plans)
    assert len({(round(plan.yaw / 40), plan.background) for plan in plans}) == 3 * 2


def test_another_head_or_seed_has_other_photographs():
    def numbers(head, **changes):
        return [plan.T_cam_head.tolist() for plan in plan_photographs(head, PhotographSettings(**changes))]

    assert numbers("a") == numbers("a")
    assert numbers("a") != numbers("b")
    assert numbers("a") != numbers("a", seed=1)


def test_camera_around_turns_in_order():
    T = camera_around(90, 0, 0, np.array([0.0, 0, 1000]))
    # Turned by 90 degrees, the face looks to the viewer's right.
    assert (T[:3, :3] @ [0, 0, 1]).round(6).tolist() == [1, 0, 0]
    nodded = camera_around(0, 20, 0, np.array([0.0, 0, 1000]))
    # Nodded, it looks down: y of the camera is down.
    assert (nodded[:3, :3] @ [0, 0, 1])[1] > 0.3


def test_points_are_where_the_photograph_shows_them(head, surface):
    (plan, _) = a_plan(head, yaw=25)
    photograph = take_photograph(surface, plan, 128)
    # The colours part at the middle of the head: across the border near the nose they change as the truth says.
    T = plan.T_cam_head @ head.T_head_scan
    nose = head.landmarks68[30]
    cam = T[:3, :3] @ nose + T[:3, 3]
    u, v = plan.K[:2, :2] @ cam[:2] / cam[2] + plan.K[:2, 2]
    row = photograph.pixels[int(v)].astype(int)
    redder = row[:, 0] - row[:, 2] > 0
    inside = photograph.mask[int(v)] > 0.99
    left, right = np.flatnonzero(inside & redder), np.flatnonzero(inside & ~redder)
    assert left.max() < right.min()
    assert abs((left.max() + right.min()) / 2 + 0.5 - u) < 2.5


def test_perspective_is_real(head, surface):
    """Near, a nose is large: the same ears are hidden or lie farther in."""
    widths = []
    for metres in (0.4, 4.0):
        plan = a_plan(head, distances=(metres,), frame=(360.0, 360.0))[0]
        T = plan.T_cam_head @ head.T_head_scan
        cam = head.landmarks68 @ T[:3, :3].T + T[:3, 3]
        pixels = cam[:, :2] / cam[:, 2:] * plan.K[0, 0]
        widths.append(np.linalg.norm(pixels[35] - pixels[31]) / np.linalg.norm(pixels[16] - pixels[0]))
    assert widths[0] > 1.15 * widths[1]


def white_of(surface):
    return painted_surface(surface.verts, surface.faces, torch.full_like(surface.verts, 0.6))


def test_light_comes_from_its_side(head, surface):
    soft, side = a_plan(head)
    pictures = [take_photograph(white_of(surface), plan, 128) for plan in (soft, side)]
    sign = np.sign(side.light.direction[0])

    def contrast(picture):
        """Compare the halves of the face: positive where the viewer's right is brighter."""
        rows = slice(50, 100)
        bright, inside = picture.pixels[rows].astype(float), picture.mask[rows] > 0.99
        halves = [bright[:, part][inside[:, part]].mean() for part in (slice(0, 62), slice(66, 128))]
        return (halves[1] - halves[0]) / sum(halves)

    assert sign * contrast(pictures[1]) > 0.15
    assert abs(contrast(pictures[0])) < 0.1
    # The lamp is warm, the rest of the room cooler.
    pixels = pictures[1].pixels[pictures[1].mask > 0.99].astype(float)
    bright = pixels.sum(1) > np.quantile(pixels.sum(1), 0.7)
    dark = pixels.sum(1) < np.quantile(pixels.sum(1), 0.3)
    assert pixels[bright, 0].mean() > 1.05 * pixels[bright, 2].mean()
    assert pixels[dark, 0].mean() < pixels[dark, 2].mean()


def test_a_nose_casts_a_shadow(head, surface):
    plan = a_plan(head)[1]
    plan = replace(plan, light=replace(plan.light, direction=(0.8, 0.2, 0.565), ambient=0.2))
    white = white_of(surface)
    pixels = take_photograph(white, plan, 128).pixels.astype(int).mean(-1)
    tip = head.T_head_scan[:3, :3] @ head.landmarks68[30] + head.T_head_scan[:3, 3]
    # Beside the nose, away from the lamp: lit once the front of the nose is cut off.
    away = (white.verts[white.faces].mean(1) - torch.from_numpy(tip).float()).norm(dim=1) > 22
    flat = painted_surface(white.verts, white.faces[away], white.colors)
    without = take_photograph(flat, plan, 128).pixels.astype(int).mean(-1)
    u = (plan.K @ (plan.T_cam_head[:3, :3] @ tip + plan.T_cam_head[:3, 3]))[:2]
    column = int(u[0] / (plan.T_cam_head[2, :3] @ tip + plan.T_cam_head[2, 3]))
    gain = without - pixels
    assert (gain[:, : column - 4] > 10).sum() > 15
    assert (gain[:, column + 12 :] > 10).sum() == 0


def test_dark_colours_stay_darker(head, surface):
    plan = a_plan(head)[0]
    means = []
    for value in (0.3, 0.7):
        painted = painted_surface(surface.verts, surface.faces, torch.full_like(surface.verts, value))
        picture = take_photograph(painted, plan, 128)
        means.append(picture.pixels[picture.mask > 0.99].mean())
    assert means[0] < 0.8 * means[1]


def test_the_texture_s_colours_come_through(head, surface):
    picture = take_photograph(surface, a_plan(head)[0], 128)
    inside = picture.mask > 0.99
    for color, columns in ((LEFT, slice(40, 58)), (RIGHT, slice(70, 88))):
        shown = picture.pixels[55:80, columns][inside[55:80, columns]].mean(0)
        assert np.argmax(shown) == np.argmax(color)


@pytest.mark.parametrize("kind", ["plain", "busy"])
def test_backgrounds(kind):
    one, same, other = (draw_background(kind, 64, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.shape == (64, 64, 3)
    assert 0 <= one.min() <= one.max() <= 1
    assert (one == same).all()
    assert not np.allclose(one, other)


def test_busy_is_busier():
    def roughness(kind):
        drawn = [draw_background(kind, 64, np.random.default_rng(seed)) for seed in range(8)]
        return np.mean([np.abs(np.diff(picture, axis=1)).mean() for picture in drawn])

    assert roughness("busy") > 4 * roughness("plain")


def test_a_set_is_reproducible_and_kept(head, surface, tmp_path):
    plans = plan_photographs(head.name, SMALL)[:3]
    first = take_photographs(surface, head.landmarks, head, plans, tmp_path / "a", SMALL)
    take_photographs(surface, head.landmarks, head, plans, tmp_path / "b", SMALL)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted([*(f"{plan.name}.jpg" for plan in plans), "truth.json"])
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    # Those that are there stay; one that is gone is taken again; another truth takes all again.
    (tmp_path / "b" / names[0]).unlink()
    (tmp_path / "b" / names[1]).write_bytes(b"mine")
    take_photographs(surface, head.landmarks, head, plans, tmp_path / "b", SMALL)
    assert (tmp_path / "b" / names[0]).read_bytes() == (tmp_path / "a" / names[0]).read_bytes()
    assert (tmp_path / "b" / names[1]).read_bytes() == b"mine"
    take_photographs(surface, head.landmarks, head, plans, tmp_path / "b", SMALL, {"more": 1})
    assert (tmp_path / "b" / names[1]).read_bytes() == (tmp_path / "a" / names[1]).read_bytes()
    truth = json.loads((tmp_path / "a" / "truth.json").read_text())
    for photograph, known in zip(first, truth["photographs"], strict=True):
        T, K = np.array(known["T_cam_scan"]), np.array(known["K"])
        cam = np.array(truth["landmarks68_mm"]) @ T[:3, :3].T + T[:3, 3]
        projected = (cam / cam[:, 2:]) @ K.T
        assert np.abs(projected[:, :2] - known["landmarks68"]).max() < 0.01
        assert np.abs(photograph.points.numpy() - known["landmarks68"]).max() < 0.01
        assert Image.open(tmp_path / "a" / known["file"]).size == (96, 96)
        assert np.allclose(T, np.array(known["T_cam_head"]) @ np.array(truth["T_head_scan"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 32}, "`image_size` must be a whole number of at least 64"),
        ({"distances": (0.1,)}, "`distances` must be a number of at least 0.25"),
        ({"yaws": ()}, "`yaws`"),
        ({"votes": "vertex"}, "Did you mean 'vertices'"),
        ({"detector": "mediapip"}, "`detector` must be one of"),
        ({"box_looseness": 0.8}, "`box_looseness` must be a number of 0 to 0.5"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(MGCError, match=message):
        ScanBenchmarkSettings(**changes)
