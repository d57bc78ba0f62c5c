"""Validation faces: scored one by one, as the whole validation scores them, and the extremes written."""

import csv
import logging

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from callbacks import ContactSheet, ExportBestCheckpoint, ValidationFaces
from datamodules import SyntheticTriplets
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.monitor import TrainingMonitor


def fit(folder, *callbacks, logger, steps=4):
    module = MGCModule(ResNet(18, width=4), image_size=48, objective=MGCObjective(LossWeights(identity=0.0)))
    trainer = L.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=logger,
        max_steps=steps,
        val_check_interval=2,
        log_every_n_steps=2,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(each, ModelCheckpoint) for each in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, SyntheticTriplets(image_size=48, batch_size=2, val_size=5))
    return module, trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train once, and give the run's folder and what was logged at each step."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    faces = ValidationFaces(pictures=3)
    module, trainer = fit(folder, faces, TrainingMonitor(), logger=CSVLogger(folder, name="a", version=0))
    with (folder / "a" / "version_0" / "metrics.csv").open() as file:
        return folder / "a" / "version_0", faces, module, list(csv.DictReader(file))


def test_faces_are_scored_one_by_one(run) -> None:
    folder, faces, module, _ = run
    with (folder / "faces.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["face"] for row in rows}) == 5
    assert [row.picture is not None for row in faces.rows] == [True] * 3 + [False] * 2
    assert faces.rows[0].picture.shape == (48, 96, 3)
    # the validation scores all three views of a sample, the table its target
    for key in ("nme", "posed", "neutral"):
        mean = np.mean([float(row[key]) for row in rows])
        assert mean == pytest.approx(module.last_scores[key], rel=0.35)
    posed = {row["face"]: float(row["posed"]) for row in rows}
    extremes = {label.split(",")[0]: label.split(", ")[1] for label in faces.artifacts if "face," in label}
    assert extremes["best face"] == min(posed, key=posed.get)
    assert extremes["worst face"] == max(posed, key=posed.get)


def test_the_meshes_are_those_faces(run) -> None:
    folder, _, module, _ = run
    model = module.network.face_model
    best, worst = (read_mesh(folder / f"{name}.glb") for name in ("best", "worst"))
    assert len(best.faces) == len(model.faces)
    assert best.colors is not None
    # a trained step or two: still near the mean face, and not the same
    assert np.abs(best.verts - model.mean.numpy()).max() < 60
    assert np.abs(best.verts - worst.verts).max() > 0


def test_how_it_goes_is_logged_where_losses_are(run) -> None:
    _, _, _, rows = run
    logged = [row for row in rows if row.get("train/loss")]
    assert len(logged) == 2
    for row in logged:
        assert float(row["optimizer/lr"]) == pytest.approx(1e-4)
        assert float(row["gradient_norm/backbone"]) > 0
        assert float(row["gradient_norm/head"]) > 0
        assert float(row["speed/images_per_second"]) > 0
        assert 50 < float(row["memory/mib"]) < 100_000
        assert float(row["train/skipped_steps"]) == 0
    pairs = [row for row in logged if row.get("train/pixel/1")]
    assert pairs
    assert "train/photometric/1" not in rows[0]
    for row in pairs:
        assert row["train/pixel/2"] != row["train/pixel/1"]


def test_the_term_is_the_mean_of_its_pairs() -> None:
    from mgc_lightning import make_triplets

    module = MGCModule(ResNet(18, width=4), image_size=48, objective=MGCObjective(LossWeights(identity=0.0)))
    batch = make_triplets(module.network.face_model, 4, image_size=48)
    report = module.objective(module.reconstruct_views(batch), batch)
    means, pairs = report.means(), report.pair_means()
    assert {name for name, _ in pairs} == {"pixel", "depth", "epipolar"}
    for name in ("pixel", "depth", "epipolar"):
        assert torch.isclose(means[name], (pairs[name, 1] + pairs[name, 2]) / 2, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_wandb_gets_everything_and_what_it_refuses_is_a_warning(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    import wandb

    logged, artifacts = {}, []
    original = wandb.Run.log

    def log(self, data, *arguments, **named):
        logged.update({key: type(value).__name__ for key, value in data.items()})
        return original(self, data, *arguments, **named)

    def refuse(self, artifact, aliases=(), **named):
        artifacts.append((artifact.type, sorted(artifact.manifest.entries), aliases))
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(wandb.Run, "log", log)
    monkeypatch.setattr(wandb.Run, "log_artifact", refuse)
    logger = WandbLogger(save_dir=tmp_path, project="test")
    best = ModelCheckpoint(monitor="val/nme", save_last=True)
    callbacks = [ContactSheet(faces=1, tile=48), ValidationFaces(pictures=2), best]
    try:
        with caplog.at_level(logging.WARNING):
            _, trainer = fit(tmp_path, *callbacks, ExportBestCheckpoint(formats=("safetensors",)), logger=logger)
    finally:
        wandb.finish()
    assert logged["val/contact_sheet"] == "Image"
    assert logged["val/faces"] == "Table"
    assert logged["val/best_face"] == logged["val/worst_face"] == "Object3D"
    assert trainer.global_step == 4
    # a table is an artifact of its own; the upload failed at the first of the checkpoints
    assert [kind for kind, _, _ in artifacts] == ["run_table", "run_table", "model", "checkpoint"]
    assert artifacts[2:] == [
        ("model", ["network.json", "network.safetensors"], ["best", "latest"]),
        ("checkpoint", ["best.ckpt"], ["best"]),
    ]
    warned = [record.getMessage() for record in caplog.records if "Not uploaded" in record.getMessage()]
    assert len(warned) == 3  # the table of each validation is told once
    assert "the server is gone" in warned[0]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch, caplog) -> None:
    import callbacks.contact_sheet
    import callbacks.validation_faces

    (tmp_path / "file").write_text("no folder")
    for module in (callbacks.contact_sheet, callbacks.validation_faces):
        monkeypatch.setattr(module, "run_folder", lambda trainer: tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        _, trainer = fit(tmp_path, ContactSheet(faces=1, tile=48), ValidationFaces(), logger=False, steps=2)
    assert trainer.global_step == 2
    warned = [record.getMessage() for record in caplog.records if "could not be written" in record.getMessage()]
    assert len(warned) == 2


def test_the_sheet_shows_what_the_validation_has_reconstructed(tmp_path, monkeypatch) -> None:
    """The encoder runs once a batch, and the rows are its coefficients of the target views."""
    import callbacks.contact_sheet

    drawn, encoded = [], []
    draw, forward = callbacks.contact_sheet.draw_contact_sheet, Encoder.forward

    def keep_rows(rows, *others):
        drawn.append(rows)
        return draw(rows, *others)

    def count(self, images):
        if not self.training:
            encoded.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(callbacks.contact_sheet, "draw_contact_sheet", keep_rows)
    monkeypatch.setattr(Encoder, "forward", count)
    sheet = ContactSheet(faces=3, tile=48)
    module, _ = fit(tmp_path, sheet, ValidationFaces(pictures=0), logger=False, steps=2)
    assert encoded == [6, 6, 3]  # three views of the batches of two, two and one
    (rows,) = drawn
    assert [row.image.shape for row in rows] == [(3, 48, 48)] * 3
    with torch.no_grad():
        expected = module.eval().network.predict_vector(torch.stack([row.image for row in rows]))
    torch.testing.assert_close(torch.stack([row.coefficients.to_vector() for row in rows]), expected)
    assert sheet.artifacts["contact sheet"].is_file()
