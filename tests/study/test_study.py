"""The study of multi-view consistency: what goes from model to model, what its tables say, that its rows train."""

import numpy as np
import pytest
import tiny_fit
import torch

from benchmarks.study.bridge import bridge
from benchmarks.study.people import people
from benchmarks.study.registered import register
from benchmarks.study.report import cell, plot, tables
from benchmarks.study.scores import Scorer
from benchmarks.study.transferred import TransferredTruth
from mgc_lightning import FaceRenderer, load_face_model, load_network, make_triplets, render_views
from mgc_lightning.fitting import initial_coefficients
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.losses import GroundTruth
from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.synthetic import SyntheticSettings

WORLD = SyntheticSettings(linked=1.0, unlinked=0.0, yaw_limit=40.0)


def test_a_model_is_brought_to_itself() -> None:
    model, over = load_face_model(), bridge("makehuman", "makehuman")
    smile = model.mean + 0.05 * torch.randn(model.mean.shape, generator=torch.Generator().manual_seed(0))
    mask = model.face_mask
    torch.testing.assert_close(over.verts(smile)[mask], smile[mask], atol=0.6, rtol=0)  # its mean, fitted to itself
    assert over.s == pytest.approx(1.0, abs=0.01)
    pose = torch.eye(4)
    pose[2, 3] = 500.0
    torch.testing.assert_close(over.poses(pose), pose, atol=1.0, rtol=0)


def test_registration_finds_the_face() -> None:
    model = load_face_model()
    identity = torch.randn(model.layout.identity, generator=torch.Generator().manual_seed(1))
    true = model.shape(identity)
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.1, 0.0], [0.1, 0.0, 0.05], [0.0, -0.05, 0.0]]))
    found = register(model, 1.05 * true @ turn.T + 10.0)
    assert vertex_distance(model.shape(found.identity), true, model.face_mask) < 0.4  # mm; the prior pulls
    assert vertex_distance(model.mean, true, model.face_mask) > 1.0
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([1.0, 2.0, 500.0])
    K = torch.tensor([[1000.0, 0.0, 0.0], [0.0, 1000.0, 0.0], [0.0, 0.0, 1.0]])
    given = project(transform_points(pose, 1.05 * true @ turn.T + 10.0), K)
    own = project(transform_points(found.poses(pose), model.shape(found.identity)), K)
    assert (own - given)[model.face_mask].norm(dim=-1).mean() < 1.5  # px of 300: the same picture


def test_the_upper_bound_is_supervision() -> None:
    model = load_face_model()
    batch = make_triplets(model, 1, image_size=32, settings=WORLD)
    found = TransferredTruth("makehuman").transferred(batch.truth)
    errors = vertex_distance(found.verts_posed, batch.truth.verts_posed, model.face_mask)
    assert errors.max() < 0.5  # mm
    views = render_views(initial_coefficients(model, batch.K, 32), model, FaceRenderer(), batch.K, 32)
    expected = GroundTruth(outside=0.0)(views, batch)
    torch.testing.assert_close(TransferredTruth("makehuman")(views, batch), expected, atol=2.0, rtol=0.1)


def test_the_mean_face_stands_at_the_true_pose() -> None:
    network = load_network()
    (person,) = people("makehuman", 1, network.image_size, network.focal, WORLD)
    mean = Scorer("makehuman", realy=1)(network, [person], mean_face=True)
    own = Scorer("makehuman", realy=0)(network, [person])
    assert mean["pose"][0] < 0.5  # degrees; what is left is the fit of the mean to itself
    assert 0.5 < mean["now/median"][0] < 3.0
    assert {"realy/nose", "realy/all", "nme/0-30"} <= mean.keys()
    assert own["pose"][0] > mean["pose"][0]
    assert "realy/all" not in own


def test_differences_are_paired() -> None:
    base = {0: {"pose": [1.0, 2.0, 6.0]}, 1: {"pose": [3.0, 4.0, 8.0]}}
    better = {seed: {"pose": [value - 1 for value in scores["pose"]]} for seed, scores in base.items()}
    found = {"single_view": base, "all": better}
    assert cell(found, "single_view", "pose") == "4.00 (1.41)"
    assert cell(found, "all", "pose") == "3.00 (1.41), -25.0 +- 0.0 %"
    assert "| all | 2 | 3.00 (1.41), -25.0 +- 0.0 % |" in tables(found)


def test_missing_bins_are_passed_over(tmp_path) -> None:
    found = {"mean face": {0: {"nme/30-60": [2.0, np.nan]}}, "single_view": {0: {"nme/30-60": [4.0, np.nan]}}}
    assert cell(found, "mean face", "nme/30-60").startswith("2.00")
    plot({"single_view": {0: {"now/median": [1.0], "depth": [2.0], "pose": [3.0]}}}, tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 1000


def test_the_rows_train(tmp_path) -> None:
    arguments = ["--config=ablation/study", "--config=ablation/supervised", "--data.face_model=makehuman",
                 "--model.objective.extra.truth.loss.source=makehuman", "--trainer.max_steps=1", "--data.batch_size=1",
                 "--trainer.callbacks.every_n_train_steps=1", "--trainer.logger=false",
                 f"--trainer.default_root_dir={tmp_path}"]  # fmt: skip
    assert tiny_fit.run(tmp_path, *arguments, base=[]) == 0
    assert (tmp_path / "last.ckpt").is_file()
