"""The scan benchmark as a whole: scores, tables, sheets, the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from textured_scans import write_scan
from tiny_networks import make_network

from mgc_lightning.cli import main
from mgc_lightning.evaluation.scan.crops import five_of_seven, loose_box
from mgc_lightning.evaluation.scan.faces import DIFFERENT_LIGHT, ONE_MOMENT, different_light_groups, one_moment_groups
from mgc_lightning.evaluation.scan.references import LIMIT, MEAN_FACE
from mgc_lightning.evaluation.scan.run import benchmark_scans
from mgc_lightning.evaluation.scan.score import inner_nme, rotation, seen_rotation
from mgc_lightning.evaluation.scan.settings import MethodSource, ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.spread import Spread, aligned_faces, spread
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.networks.files import save_network

SETTINGS = ScanBenchmarkSettings(image_size=96, distances=(0.5, 1.0), yaws=(-30.0, 0.0, 30.0), steps=2)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    people = {name: write_scan(folder, name, seed=seed) for name, seed in (("ann", 3), ("bob", 4))}
    save_network(make_network(), folder / "network.safetensors")
    return folder, people


@pytest.fixture(scope="module")
def report(scans, tmp_path_factory):
    """Run a head with an untrained network, and files of a detector that missed the first photograph."""
    folder, _ = scans
    output = tmp_path_factory.mktemp("output")
    # Photographs first; then a detector elsewhere finds their points.
    first = benchmark_scans([folder / "ann.obj"], output, method=MethodSource(network=False), settings=SETTINGS)
    detected = output / "detected"
    detected.mkdir()
    for photograph in first.results[0].photographs[1:]:
        np.savetxt(detected / f"{photograph.plan.name}.txt", photograph.points.numpy())
    settings = replace(SETTINGS, landmarks=detected)
    method = MethodSource(checkpoint=folder / "network.safetensors")
    return output, first, benchmark_scans([folder / "ann.obj"], output, method=method, settings=settings)


def test_references_alone(report):
    _, first, _ = report
    assert [row.name for row in first.rows] == [MEAN_FACE, LIMIT]
    mean, limit = (row.values[""] for row in first.rows)
    assert 0.6 < mean < 4
    assert limit < 0.15


def test_two_heads_are_averaged(scans, report, tmp_path):
    folder, _ = scans
    settings = replace(SETTINGS, image_size=64, distances=(0.7,), yaws=(0.0,))
    both = benchmark_scans(
        [folder / "ann.obj", folder / "bob.obj"], tmp_path, method=MethodSource(network=False), settings=settings
    )
    means = [result.scores[0].error.median for result in both.results]
    assert both.rows[0].values[""] == pytest.approx(np.mean(means))
    assert means[0] != means[1]
    # The mean face is what it was, whatever the photographs.
    assert means[0] == report[1].results[0].scores[0].error.median


def test_every_column_and_row(report):
    _, _, found = report
    rows = {(row.section, row.name): row for row in found.rows}
    everything = rows["NoW median, mm", "one photograph, all"]
    assert list(everything.values) == ["detector", "box", "exact", "own"]
    assert everything.count == 12
    assert all(value is not None for value in everything.values.values())
    assert [i for i, face in enumerate(found.results[0].faces["detector"]) if face is None] == [0]
    assert rows["NoW median, mm", "one photograph, at 0.5 m"].count == 6
    yaws = [rows["NoW median, mm", f"one photograph, yaw {part}"].count for part in ("0-30", "30-60")]
    assert sum(yaws) == 12
    assert rows["NoW median, mm", "3 of one moment"].values["box"] is None
    assert rows["NoW median, mm", "3 of one moment, at 0.5 m"].count == 2
    assert rows["NoW median, mm", "3 in different light"].values["exact"] > 0
    assert rows["NME of 51 points, %", "one photograph, all"].values["exact"] > 0
    assert rows["rotation, degrees", "one photograph, all"].values["own"] > 0
    assert rows["identity, mm", "of one person's photographs"].values["exact"] > 0
    assert ("identity, mm", "between persons") not in rows


def test_the_same_points_give_the_same_crops(report):
    """A detector that finds the exact points is the exact points."""
    _, _, found = report
    for result in found.results:
        for detected, exact in zip(result.faces["detector"][1:], result.faces["exact"][1:], strict=True):
            assert torch.allclose(detected.identity, exact.identity, atol=1e-3)


def test_files(report):
    output, _, found = report
    assert [path.relative_to(output).as_posix() for path in found.files] == ["scores.json", "ann/sheet.png"]
    content = json.loads(found.files[0].read_text())
    (head,) = content["heads"]
    assert head["name"] == "ann"
    assert head["scores"][0]["method"] == MEAN_FACE
    assert {score["method"] for score in head["scores"]} == {
        MEAN_FACE,
        LIMIT,
        "alone",
        "refined",
        ONE_MOMENT,
        DIFFERENT_LIGHT,
    }
    alone = [s["median"] for s in head["scores"] if s["method"] == "alone" and s["column"] == "exact"]
    assert len(alone) == 12
    shown = next(row for row in content["summary"] if row["row"] == "one photograph, all" and "NoW" in row["section"])
    assert shown["values"]["exact"] == pytest.approx(np.mean(alone), rel=0.05)
    assert content["identity_coefficients"]["exact"]["within"] > 0
    picture = Image.open(found.files[1])
    assert picture.width > 1000
    assert picture.height > 2000
    assert np.asarray(picture).std() > 20


def test_seven_points_are_enough(scans, tmp_path):
    """Without the 68 there is no NME of the photographs, and nothing to refine by; the rest is there."""
    folder, _ = scans
    points = json.loads((folder / "bob.json").read_text())
    (tmp_path / "seven.json").write_text(json.dumps({"landmarks7": points["landmarks7"]}))
    settings = replace(SETTINGS, image_size=64, distances=(0.7,), yaws=(0.0, 40.0))
    method = MethodSource(checkpoint=folder / "network.safetensors")
    report = benchmark_scans(
        [folder / "bob.obj"], tmp_path, points=[tmp_path / "seven.json"], method=method, settings=settings
    )
    rows = {(row.section, row.name): row.values for row in report.rows}
    assert all(rows["NoW median, mm", "one photograph, all"].values())
    assert rows["NME of 51 points, %", "one photograph, all"]["exact"] is None
    assert rows["NME of 51 points, %", "one photograph, all"]["own"] > 0
    assert rows["rotation, degrees", "one photograph, all"]["exact"] > 0
    # Painted faces have their 68 points.
    assert rows["NoW median, mm", "2 of one moment"]["exact"] is None
    assert rows["NoW median, mm", "2 of one moment"]["own"] > 0
    # What only pictures need is let go of.
    assert report.results[0].head.mesh.texture is None
    assert all(face.reconstruction is None for faces in report.results[0].faces.values() for face in faces)


def test_meshes_of_another_method(scans, report, tmp_path):
    """The true meshes have no error, whatever their unit and place; what is missing is said."""
    folder, people = scans
    _, _, found = report
    output = tmp_path / "out"
    model, _, verts = people["ann"]
    face = found.results[0]
    other = tmp_path / "other"
    for photograph in face.photographs[:2]:
        stem = other / "ann" / "photographs" / photograph.plan.name
        write_mesh(stem.with_name(f"{stem.name}.ply"), verts / 10 + 5, model.faces)
        np.savetxt(stem.with_name(f"{stem.name}.txt"), model.landmarks7(torch.from_numpy(verts)).numpy() / 10 + 5)
    report = benchmark_scans(
        str(folder / "ann.obj"), str(output), method=MethodSource(predictions=str(other)), settings=SETTINGS
    )
    row = next(row for row in report.rows if row.name == "one photograph, all")
    assert row.values == {"other": pytest.approx(0, abs=0.02)}
    assert row.count == 2
    with pytest.raises(Exception, match=r"no mesh of bob; expected .*bob/photographs/.*\.obj"):
        benchmark_scans([folder / "bob.obj"], output, method=MethodSource(predictions=other), settings=SETTINGS)


def test_the_true_pose_has_no_rotation_error(report):
    _, _, found = report
    result = found.results[0]
    fit, photograph = result.fit, result.photographs[0]
    centre = torch.tensor([0.0, 5.0, 70.0])
    R = photograph.T_cam_scan[:3, :3] @ fit.R
    true = torch.eye(4, dtype=torch.float64)
    true[:3, :3] = torch.from_numpy(R)
    true[:3, 3] = torch.from_numpy(photograph.T_cam_scan[:3, :3] @ fit.t + photograph.T_cam_scan[:3, 3])
    assert rotation(photograph, true, fit, centre / fit.s * fit.s) < 0.1
    # Far away and seen straight on, the turn as seen is the same; the camera's own is not.
    seen = seen_rotation(true, fit.s * centre.double())
    far = true.clone()
    far[:3, :3] = seen
    far[:3, 3] = torch.tensor([0, 0, 50_000.0]) - seen @ centre.double()
    assert rotation(photograph, far, fit, centre) < 0.2
    turned = far.clone()
    a = np.radians(10)
    turn = torch.tensor([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turned[:3, :3] = turn @ seen
    turned[:3, 3] = torch.tensor([0, 0, 50_000.0]) - turned[:3, :3] @ centre.double()
    assert rotation(photograph, turned, fit, centre) == pytest.approx(10, abs=0.2)


def test_nme_of_the_inner_points():
    true = torch.zeros(68, 2)
    true[0], true[16], true[8] = torch.tensor([0.0, 0]), torch.tensor([100.0, 0]), torch.tensor([50.0, 64])
    moved = true.clone()
    moved[:17] += 50  # the contour does not count
    assert inner_nme(moved, true) == 0
    assert inner_nme(true + torch.tensor([3.0, 4.0]), true) == pytest.approx(100 * 5 / 80)


def test_groups(report):
    _, _, found = report
    photographs = found.results[0].photographs
    moments = one_moment_groups(photographs)
    assert [len(group) for group in moments] == [3, 3, 3, 3]
    for group in different_light_groups(photographs):
        plans = [photographs[i].plan for i in group]
        assert len({plan.moment for plan in plans}) == len({plan.light.direction for plan in plans}) == 3
        assert [np.sign(round(plan.yaw / 30)) for plan in plans] == [-1, 0, 1]


def test_boxes_are_loose_as_stated(report):
    _, _, found = report
    result = found.results[0]
    face = result.fit.to_scan(result.fit.verts)
    off = []
    for photograph in result.photographs:
        tight = loose_box(photograph, face, 0.0)
        pixels = photograph.project(face).numpy()
        assert np.allclose(tight, [*pixels.min(0), *pixels.max(0)], atol=1e-3)
        box = loose_box(photograph, face, 0.05)
        assert (box == loose_box(photograph, face, 0.05)).all()
        off.append((box - tight) / np.tile(tight[2:] - tight[:2], 2))
    assert 0.03 < np.std(off) < 0.065
    assert np.abs(off).max() <= 0.1 + 1e-6


def test_five_points_of_seven():
    seven = torch.tensor([[0.0, 0], [2, 0], [4, 0], [6, 2], [3, 3], [2, 5], [4, 5]])
    assert five_of_seven(seven).tolist() == [[1, 0], [5, 1], [3, 3], [2, 5], [4, 5]]


def test_spread_knows_one_person_from_another():
    generator = torch.Generator().manual_seed(0)
    people = {str(i): 5 * torch.randn(1, 300, generator=generator) + torch.randn(9, 300, generator=generator)
              for i in range(30)}  # fmt: skip
    found = spread(people, 100)
    # Three numbers a vertex.
    assert found.within == pytest.approx(3**0.5, rel=0.03)
    assert found.between == pytest.approx(5 * 3**0.5, rel=0.1)
    assert found.ratio == pytest.approx(0.2, rel=0.1)
    assert spread({"one": people["0"]}, 100).ratio is None
    assert Spread(1.0, 0.0).ratio is None


def test_spread_does_not_see_place_and_size():
    verts = torch.randn(50, 3, dtype=torch.float64)
    moved = [verts, 2 * verts + 5, verts @ torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)]
    rows = aligned_faces(moved, verts, torch.ones(50, dtype=torch.bool))
    assert (rows - rows[0]).abs().max() < 1e-6


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in ("benchmark", "scan", *arguments)])
    return stopped.value.code or 0


OPTIONS = ("--image-size", 64, "--distances", 0.7, "--yaws", 0, "--no-several")


def test_the_command_prints_its_table(scans, tmp_path, capsys):
    folder, _ = scans
    done = run(folder / "ann.obj", "--output", tmp_path, "--checkpoint", folder / "network.safetensors", *OPTIONS)
    shown = capsys.readouterr().out
    assert done == 0
    assert "exact points" in shown
    assert "own colours" in shown
    assert "detector" not in shown
    assert "a coarse scan" in shown
    assert "(--votes vertices counts these)" in " ".join(shown.split())
    assert shown.rstrip().endswith("sheet.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ann.obj", "ann.obj"), "Two scans are called ann"),
        (("ann.obj", "--points", "ann.json", "bob.json"), "--points: expected a file for each of 1 scans"),
        (("none.obj", "--no-network"), "no such scan"),
        (("ann.obj", "--detector", "mediapipe", "--no-network"), "--detector cuts crops for a network, and none is"),
        (("ann.obj", "--detector", "mediapipe", "--predictions", "."), "give its --checkpoint too"),
        (("ann.obj", "--no-network", "--checkpoint", "c.ckpt"), "Give either --checkpoint or --no-network, not both"),
        (("ann.obj", "--predictions", "none"), "--predictions none: no such folder"),
        (("ann.obj", "--landmarks", "none"), "--landmarks none: expected a folder"),
    ],
)
def test_errors_of_the_command(scans, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(scans[0])
    assert run(*arguments, "--output", tmp_path / "out", *OPTIONS) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
