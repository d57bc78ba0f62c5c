"""`mgc benchmark now` and `mgc benchmark submit now`, as a user runs them."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

from datamodules.now import NoWDataModule
from mgc_lightning.cli import main
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.evaluation.now.benchmark import Protocol, score_folder
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import find_predictions
from mgc_lightning.evaluation.now.results import NoWFolder
from mgc_lightning.evaluation.submission import scored_verts
from mgc_lightning.face_models import load_face_model
from mgc_lightning.metrics.now import NoWError
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.files import save_network


def mgc(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code or 0


def benchmark(now_set, predictions, output, *options):
    return mgc("benchmark", "now", "--dataset", now_set, "--predictions", predictions, "--output", output, *options)


@pytest.fixture
def predictions(now_set, tmp_path):
    return shutil.copytree(now_set / "predictions" / "ground_truth", tmp_path / "predictions")


def test_writes_everything(now_set, predictions, tmp_path, capsys):
    output = tmp_path / "out" / "truth.json"
    assert benchmark(now_set, predictions, output) == 0
    result = json.loads(output.read_text())
    assert list(result) == ["median", "mean", "std", "distances", "predictions", "missing", "images"]
    assert list(result["images"][0]) == ["name", "median", "mean", "std", "distances", "reflected"]
    assert len(result["images"]) == result["predictions"] == 8
    assert result["missing"] == []
    assert result["median"] < 0.1
    assert result["distances"] == sum(image["distances"] for image in result["images"])
    distances = np.load(tmp_path / "out/truth/truth_computed_distances.npy", allow_pickle=True).item()
    pooled = np.concatenate(distances["computed_distances"])
    assert float(np.median(pooled)) == result["median"]
    lines = (tmp_path / "out/truth/truth_computed_distances.npy.meanmedian").read_text().splitlines()
    assert [float(line) for line in lines] == [result["median"], result["mean"]]
    rows = list(csv.DictReader((tmp_path / "out/truth/cumulative_error.csv").open()))
    assert float(rows[-1]["percent"]) == 100
    assert (tmp_path / "out/truth/cumulative_error.png").stat().st_size > 10_000
    assert not (tmp_path / "out/truth/finished.jsonl").exists()
    shown = capsys.readouterr().out
    assert "published)" not in shown  # its people do not exist
    assert "A synthetic data set" in shown


def test_published_rows_stand_under_scores_of_the_organisers_set(now_set, predictions, tmp_path, capsys):
    copy = shutil.copytree(now_set, tmp_path / "set", symlinks=True)
    (copy / "README.txt").unlink()
    assert benchmark(copy, predictions, tmp_path / "truth.json", "--challenge", "selfie") == 0
    shown = capsys.readouterr().out
    assert shown.index("all") < shown.index("MGCNet (published)")
    assert "synthetic" not in shown


def test_results_do_not_go_into_the_data_set(now_set, predictions, capsys):
    assert benchmark(now_set, predictions, now_set / "scores.json") == 2
    assert f"lies in the data set {now_set}: give an --output outside of it" in capsys.readouterr().err
    assert not (now_set / "scores.json").exists()


def test_meshes_without_landmarks_are_said_so(now_set, predictions, tmp_path, capsys):
    for path in predictions.glob("*/selfie/*.npy"):
        path.unlink()
    assert benchmark(now_set, predictions, tmp_path / "a.json") == 2
    said = capsys.readouterr().err
    assert "2 of them have a mesh, such as SYNTH_0001/selfie/" in said
    assert "but no landmarks. The seven points of a mesh lie beside it in a .npy or .txt of its name" in said


def test_missing_predictions_fail_the_run_unless_allowed(now_set, predictions, tmp_path, capsys):
    gone = next(predictions.glob("*/selfie/*.ply"))
    gone.unlink()
    assert benchmark(now_set, predictions, tmp_path / "a.json") == 2
    assert "--allow-missing" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()
    assert benchmark(now_set, predictions, tmp_path / "a.json", "--allow-missing") == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert [name[:-4] for name in result["missing"]] == [str(gone.relative_to(predictions))[:-4]]
    assert len(result["images"]) == 7


def test_challenge_metrical_and_processes(now_set, predictions, tmp_path):
    options = ("--challenge", "selfie", "--metrical", "mm", "--jobs", 2)
    assert benchmark(now_set, predictions, tmp_path / "b.json", *options) == 0
    result = json.loads((tmp_path / "b.json").read_text())
    assert len(result["images"]) == 2
    assert (tmp_path / "b/b_metrical_computed_distances_selfie.npy").is_file()


def test_wrong_unit_is_told_before_scoring(now_set, predictions, tmp_path, capsys):
    assert benchmark(now_set, predictions, tmp_path / "c.json", "--metrical", "m") == 2
    assert "it looks like mm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--corrected-start",), "--metrical"),
        (("--challenge", "selfies"), "selfie"),
        (("--split", "test"), "imagepathstest.txt"),
    ],
)
def test_bad_arguments(now_set, predictions, tmp_path, capsys, options, message):
    assert benchmark(now_set, predictions, tmp_path / "d.json", *options) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_mesh_is_named(now_set, predictions, tmp_path, capsys):
    bad = next(predictions.glob("*/selfie/*.ply"))
    bad.write_text("this is a text")
    assert benchmark(now_set, predictions, tmp_path / "e.json") == 2
    assert bad.name in capsys.readouterr().err


def test_coloured_obj_scores_as_without_colours(now_set, predictions, tmp_path):
    from mgc_lightning.files.mesh import read_mesh, write_mesh

    for path in predictions.glob("*/selfie/*.ply"):
        mesh = read_mesh(path)
        write_mesh(path.with_suffix(".obj"), mesh.verts, mesh.faces, np.full((len(mesh.verts), 3), 0.5))
        path.unlink()
    assert benchmark(now_set, predictions, tmp_path / "f.json", "--challenge", "selfie") == 0
    assert json.loads((tmp_path / "f.json").read_text())["median"] < 0.1


def test_a_stopped_run_goes_on(now_set, predictions, tmp_path):
    dataset = NoWDataset(now_set)
    found, _ = find_predictions(predictions, dataset)
    folder = NoWFolder(tmp_path / "run.json")
    running = score_folder(dataset, found, Protocol(), folder)
    first = [next(running), next(running)]
    running.close()
    assert len(folder.finished.read_text().splitlines()) == 2
    # What is finished is not computed again, and comes back to the last bit.
    stored = {prediction.name: prediction for prediction in first}
    for prediction in score_folder(dataset, found[:2], Protocol(), folder):
        np.testing.assert_array_equal(prediction.distances, stored[prediction.name].distances)
    assert len(folder.finished.read_text().splitlines()) == 2
    # A changed prediction is, and so is another protocol's.
    np.save(found[0].landmarks, np.load(found[0].landmarks) + 0.25)
    again = list(score_folder(dataset, found[:1], Protocol(), folder))
    assert not np.array_equal(again[0].distances, first[0].distances)
    assert len(list(score_folder(dataset, found[1:2], Protocol("mm"), folder))) == 1
    assert len(folder.finished.read_text().splitlines()) == 4


def test_what_is_finished_is_kept_for_predictions_that_are_missing(now_set, predictions, tmp_path):
    gone = next(predictions.glob("*/selfie/*.ply"))
    content = gone.read_bytes()
    gone.unlink()
    assert benchmark(now_set, predictions, tmp_path / "a.json", "--allow-missing") == 0
    finished = tmp_path / "a" / "finished.jsonl"
    assert len(finished.read_text().splitlines()) == 7
    gone.write_bytes(content)
    assert benchmark(now_set, predictions, tmp_path / "a.json") == 0
    assert not finished.exists()


def test_submission_scores_as_the_network_does(now_set, tmp_path, capsys):
    model = load_face_model()
    network = FaceNetwork(Encoder(ResNet(18, width=8), model.layout.total), model, image_size=64).eval()
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    save_network(network, tmp_path / "network.safetensors")
    out = tmp_path / "submission"
    options = ("--checkpoint", tmp_path / "network.safetensors", "--dataset", now_set, "--output", out)
    assert mgc("benchmark", "submit", "now", *options, "--split", "validation", "--batch-size", 3) == 0
    assert "8 predictions (neutral, mm), read back" in capsys.readouterr().out
    assert benchmark(now_set, out, tmp_path / "g.json") == 0
    by_command = json.loads((tmp_path / "g.json").read_text())

    data = NoWDataModule(now_set, image_size=64, batch_size=5)
    metric = NoWError(data.names)
    for batch in data.test_dataloader():
        verts = scored_verts(model, network.coefficients(batch.images), neutral=True)
        scans = [data.scan(int(i)) for i in batch.index]
        metric.update(verts, model.faces, model.landmarks7(verts), scans, batch.index)
    assert abs(by_command["median"] - float(metric.compute()["median"])) < 1e-3
    for one, other in zip(by_command["images"], metric.scores().predictions, strict=True):
        assert abs(one["median"] - other.error.median) < 1e-3
        assert one["name"] == other.name


def test_submissions_with_expression(now_set, tmp_path, capsys):
    model = load_face_model()
    network = FaceNetwork(Encoder(ResNet(18, width=8), model.layout.total), model, image_size=64).eval()
    checkpoint = save_network(network, tmp_path / "network.safetensors")
    options = ("--checkpoint", checkpoint, "--dataset", now_set, "--split", "validation")
    written = {}
    for flag in ("--neutral", "--no-neutral", "--expression"):
        out = tmp_path / flag
        assert mgc("benchmark", "submit", "now", *options, "--output", out, flag) == 0
        kind = "neutral" if flag == "--neutral" else "with expression"
        assert f"8 predictions ({kind}, mm)" in capsys.readouterr().out
        written[flag] = next(out.rglob("*.obj")).read_bytes()
    assert written["--expression"] == written["--no-neutral"] != written["--neutral"]
