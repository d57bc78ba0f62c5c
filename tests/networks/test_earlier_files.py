"""Checkpoints and exports that version 0.1 wrote still load, evaluate and predict the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.networks import face_model_choice
from mgc_lightning.networks.files import load_network
from mgc_lightning.networks.predictor import load_predictor

EARLIER = Path(__file__).parents[1] / "data" / "version_0_1"


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", ["onnx", "pt2", "safetensors"])
def test_exports_predict_what_they_predicted(images, suffix):
    predictor = load_predictor(EARLIER / "export" / f"network.{suffix}", face_model=EARLIER / "tiny.npz")
    expected = np.load(EARLIER / "expected.npz")
    found = predictor.coefficients(images)
    assert np.allclose(found.to_vector().numpy(), expected["coefficients"], atol=1e-4)
    verts = predictor.face_model(found).verts
    assert np.allclose(verts.numpy(), expected["verts"], atol=1e-4)


@pytest.mark.parametrize("suffix", ["onnx", "pt2", "safetensors"])
def test_the_face_model_is_read_and_checked_once(suffix, monkeypatch):
    calls = []
    for name in ("load_face_model", "check_face_model"):
        function = getattr(face_model_choice, name)
        monkeypatch.setattr(face_model_choice, name, lambda *a, f=function, n=name: (calls.append(n), f(*a))[1])
    load_predictor(EARLIER / "export" / f"network.{suffix}", face_model=EARLIER / "tiny.npz")
    assert calls == ["load_face_model", "check_face_model"]


def test_a_checkpoint_loads_and_predicts():
    network = load_network(EARLIER / "trained.ckpt")
    with torch.no_grad():
        coefficients, verts, landmarks = network(torch.rand(1, 3, 96, 96))
    assert coefficients.shape == (1, 205)
    assert verts.shape == (1, 4032, 3)
    assert landmarks.shape == (1, 68, 2)


def test_a_checkpoint_is_scored_and_continued(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [
        "--config=quickstart",
        "--model.backbone.init_args.width=4",
        "--model.spatial_channels=8",
        "--data.init_args.val_size=2",
        "--data.init_args.batch_size=1",
        "--trainer.callbacks=[]",
        "--trainer.logger=false",
        f"--ckpt_path={EARLIER / 'trained.ckpt'}",
    ]
    with pytest.raises(SystemExit) as scored:
        main(["validate", *arguments])
    assert scored.value.code == 0
    assert "val/nme" in capsys.readouterr().out
    with pytest.raises(SystemExit) as continued:
        main(["fit", *arguments, "--trainer.max_steps=3", "--trainer.limit_val_batches=0"])
    assert continued.value.code == 0


def test_a_program_that_runs_code_is_opened_only_where_it_is_named(tmp_path, caplog):
    program = tmp_path / "network.pt2"
    program.write_bytes((EARLIER / "export" / "network.pt2").read_bytes())
    with pytest.raises(MGCError, match="may run code when it is opened: if you trust it, name the file itself"):
        load_predictor(tmp_path, face_model=EARLIER / "tiny.npz")
    assert load_predictor(program, face_model=EARLIER / "tiny.npz").image_size == 64
    assert "torch may run code of it" in caplog.text
    data = bytearray(program.read_bytes())
    data[len(data) // 2] ^= 1
    program.write_bytes(data)
    with pytest.raises(MGCError, match="not what was written"):
        load_predictor(program, face_model=EARLIER / "tiny.npz")
