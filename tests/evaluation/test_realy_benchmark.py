"""`mgc benchmark realy`, `REALYError` and their files."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.benchmark import score_folder
from mgc_lightning.evaluation.realy.dataset import REALYDataset
from mgc_lightning.evaluation.realy.predictions import list_predictions, read_prediction
from mgc_lightning.evaluation.realy.published import PUBLISHED
from mgc_lightning.evaluation.realy.results import REALYFolder
from mgc_lightning.evaluation.realy.topology import load_topology
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.metrics.realy import REALYError, REALYScores, ScoredPrediction
from mgc_lightning.metrics.realy.scores import official_text


def run(*arguments: object) -> None:
    """Run the program; what it refuses is raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_TRACEBACK", "1")
        with pytest.raises(SystemExit) as stopped:
            main(["benchmark", "realy", *(str(argument) for argument in arguments)])
    assert not stopped.value.code


def benchmark(dataset: Path, predictions: str | Path, output: Path, *more: object) -> dict:
    folder = dataset / "predictions" / predictions if isinstance(predictions, str) else predictions
    arguments = ["--dataset", dataset, "--predictions", folder, "--topology", "makehuman", "--output", output]
    run(*arguments, *more)
    return json.loads(output.read_text())


def test_command_writes_everything(realy_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = benchmark(realy_set, "ground_truth", tmp_path / "truth.json")
    mean = benchmark(realy_set, "mean_face", tmp_path / "mean.json")
    assert set(mean) == {"all", "predictions", "missing", "regions", "images"}
    assert (mean["predictions"], mean["missing"]) == (3, [])
    assert [image["name"] for image in mean["images"]] == ["1", "2", "3"]
    for region, statistics in mean["regions"].items():
        errors = np.array([image[region] for image in mean["images"]])
        assert statistics["mean"] == pytest.approx(errors.mean(), abs=1e-6)
        assert statistics["std"] == pytest.approx(errors.std(ddof=1), abs=1e-6)
        assert statistics["median"] == pytest.approx(np.median(errors), abs=1e-6)
        assert truth["regions"][region]["mean"] < statistics["mean"]
    # Paired over subjects; regions with keypoints snap them to the coarse scan's vertices, which costs the truth.
    for better, worse in zip(truth["images"], mean["images"], strict=True):
        assert better["cheek"] < worse["cheek"]
        assert better["nose"] < worse["nose"]
        assert sum(better[region] for region in mean["regions"]) < sum(worse[region] for region in mean["regions"])
    assert mean["all"] == pytest.approx(np.mean([value["mean"] for value in mean["regions"].values()]))
    # The mean of |N(0, .1 mm)| is .08 mm.
    assert truth["regions"]["cheek"]["mean"] == pytest.approx(0.08, abs=0.02)
    assert truth["all"] < 0.4

    lines = (tmp_path / "mean" / "REALY_error.txt").read_text().splitlines()
    name, empty, *values = lines[0].split("\t")
    assert (name, empty) == ("1", "")
    assert values == [official_text(mean["images"][0][region]) for region in ("nose", "mouth", "forehead", "cheek")]
    painted = read_mesh(tmp_path / "mean" / "error_maps" / "1" / "error_nose.ply")
    assert painted.colors is not None
    printed = capsys.readouterr().out
    assert "published)" not in printed  # its people do not exist
    assert "A synthetic data set" in printed


def test_a_stopped_run_goes_on(realy_set: Path, tmp_path: Path) -> None:
    dataset, topology = REALYDataset(realy_set), load_topology("makehuman")
    found = list_predictions(realy_set / "predictions" / "mean_face")
    folder = REALYFolder(tmp_path / "run.json")
    running = score_folder(dataset, found, topology, folder)
    first = [next(running), next(running)]
    running.close()
    assert len(folder.finished.read_text().splitlines()) == 2
    for stored, again in zip(first, score_folder(dataset, found[:2], topology, folder), strict=True):
        assert (again.name, again.reflected) == (stored.name, stored.reflected)
        np.testing.assert_array_equal(again.errors, stored.errors)
    assert len(folder.finished.read_text().splitlines()) == 2
    # Error maps that are gone are drawn again, with the same numbers; the others are left as they are.
    gone, kept = (folder.error_maps / name / "error_nose.ply" for name in (found[0].name, found[1].name))
    before, age = gone.read_bytes(), kept.stat().st_mtime_ns
    gone.unlink()
    redrawn = {result.name: result for result in score_folder(dataset, found[:2], topology, folder)}
    np.testing.assert_array_equal(redrawn[first[0].name].errors, first[0].errors)
    assert gone.read_bytes() == before
    assert kept.stat().st_mtime_ns == age
    assert len(folder.finished.read_text().splitlines()) == 3
    # Another mask is another protocol: nothing is reused.
    mask = np.ones(topology.vertex_count, bool)
    assert len(list(score_folder(dataset, found[:1], replace(topology, mask=mask), folder))) == 1
    assert len(folder.finished.read_text().splitlines()) == 4


def test_missing_predictions_fail_unless_allowed(realy_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    shutil.copy(realy_set / "predictions" / "mean_face" / "2.obj", folder / "2.obj")
    with pytest.raises(MGCError, match="2 of 3 predictions are missing: 1, 3"):
        benchmark(realy_set, folder, tmp_path / "a.json")
    result = benchmark(realy_set, folder, tmp_path / "a.json", "--allow-missing")
    assert (result["predictions"], result["missing"]) == (1, ["1", "3"])
    assert result["regions"]["nose"]["std"] is None


def test_side_view_wants_every_side_image(realy_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "side"
    folder.mkdir()
    for name in ("1", "1_1", "3_1"):
        shutil.copy(realy_set / "predictions" / "mean_face" / f"{name[0]}.obj", folder / f"{name}.obj")
    with pytest.raises(MGCError, match="1 of 3 predictions are missing: 2_1"):
        benchmark(realy_set, folder, tmp_path / "a.json", "--view", "side")
    result = benchmark(realy_set, folder, tmp_path / "a.json", "--view", "side", "--allow-missing")
    assert [image["name"] for image in result["images"]] == ["1_1", "3_1"]


def test_foreign_subject_and_wrong_topology(realy_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    shutil.copytree(realy_set / "predictions" / "mean_face", folder)
    with pytest.raises(MGCError, match="expected 16001 vertices"):
        run(
            *["--dataset", realy_set, "--predictions", folder, "--topology", "makehuman-1"],
            "--output",
            tmp_path / "a.json",
        )
    (folder / "1.obj").rename(folder / "7.obj")
    with pytest.raises(MGCError, match="no subject 7"):
        benchmark(realy_set, folder, tmp_path / "a.json")
    with pytest.raises(MGCError, match=r"--output must end in \.json"):
        benchmark(realy_set, folder, tmp_path / "a.txt")


def test_mirrored_prediction_is_reported(realy_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mirrored"
    for subject in (1, 2, 3):
        mesh = read_mesh(realy_set / "predictions" / "mean_face" / f"{subject}.obj")
        flip = [-1.0, 1.0, 1.0] if subject == 2 else [1.0, 1.0, 1.0]
        write_mesh(folder / f"{subject}.obj", mesh.verts * flip, mesh.faces)
    images = benchmark(realy_set, folder, tmp_path / "a.json")["images"]
    assert [image["reflected"] for image in images] == [False, True, False]
    assert "keypoints of 2 fit the scan only mirrored" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_jobs_give_the_same_numbers(realy_set: Path, tmp_path: Path) -> None:
    one = benchmark(realy_set, "mean_face", tmp_path / "one.json")
    two = benchmark(realy_set, "mean_face", tmp_path / "two.json", "--jobs", 2)
    assert one == two


def test_official_text_and_statistics() -> None:
    assert official_text(1.3559327208836005) == "1.3559327"
    assert official_text(12.0) == "12.0"
    predictions = [ScoredPrediction(str(i), np.array([i, 2.0 * i, 1.0, 0.5])) for i in (1, 2, 4)]
    scores = REALYScores(predictions)
    assert scores.regions["nose"].std == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert scores.regions["mouth"].median == 4.0
    assert scores.total == pytest.approx((7 / 3 + 14 / 3 + 1.0 + 0.5) / 4)
    assert scores.error_text().splitlines()[1] == "2\t\t2.0\t4.0\t1.0\t0.5"
    assert math.isnan(REALYScores([]).total)


def test_published_rows_add_up() -> None:
    for view, rows in PUBLISHED.items():
        for row in rows:
            mean = np.mean([value for value, _ in row.regions])
            misprint = view == "frontal" and row.method == "DECA"
            assert mean == pytest.approx(row.all, abs=0.012 if misprint else 0.0011)


def score_share(rank: int, world_size: int, dataset: Path, store: Path, results: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world_size)
    topology, found = load_topology("makehuman"), list_predictions(dataset / "predictions" / "mean_face")
    metric = REALYError([prediction.name for prediction in found], topology)
    # Rank 1 repeats the first sample, as distributed samplers do to fill up.
    for place in ((0, 2), (1, 0))[rank]:
        verts = torch.from_numpy(read_prediction(found[place], topology)[0])[None]
        scan = REALYDataset(dataset).scan(found[place].image.subject)
        metric.update(verts, [scan], [place])
    computed = {name: float(value) for name, value in metric.compute().items()}
    names = [prediction.name for prediction in metric.scores().predictions]
    alone = REALYError([prediction.name for prediction in found], topology)
    if rank == 0:
        alone.update(verts, [scan], [place])
    assert len(alone.scores().predictions) == 1
    (results / f"{rank}.json").write_text(json.dumps({"computed": computed, "names": names}))
    dist.destroy_process_group()


def test_metric_over_two_processes_equals_the_command(realy_set: Path, tmp_path: Path) -> None:
    mp.spawn(score_share, args=(2, realy_set, tmp_path / "store", tmp_path), nprocs=2)
    command = benchmark(realy_set, "mean_face", tmp_path / "command.json")
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["names"] == ["1", "2", "3"]
        assert found["computed"]["all"] == pytest.approx(command["all"], abs=1e-6)
        for region, statistics in command["regions"].items():
            assert found["computed"][region] == pytest.approx(statistics["mean"], abs=1e-6)
            assert found["computed"][f"{region}/std"] == pytest.approx(statistics["std"], abs=1e-6)


def test_metric_checks_its_arguments(realy_set: Path) -> None:
    topology = load_topology("makehuman")
    metric = REALYError(["1"], topology)
    scan = REALYDataset(realy_set).scan(1)
    with pytest.raises(MGCError, match="as many"):
        metric.update(torch.zeros(2, 4032, 3), [scan], [0])
    with pytest.raises(MGCError, match=r"0\.\.0, got 3"):
        metric.update(torch.zeros(1, 4032, 3), [scan], [3])
