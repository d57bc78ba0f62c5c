"""A checkpoint is not a config: what its hyperparameters may bring into an evaluation, and what not."""

import logging
import math
import sys
from pathlib import Path

import pytest
import torch

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.training.trust import check_size, trusted

TRAINED = Path(__file__).parents[1] / "data" / "version_0_1" / "trained.ckpt"
RESNET = {"class_path": "mgc_lightning.encoders.ResNet", "init_args": {"depth": 18, "width": 4}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("focal", "${oc.env:SECRET}"),
        ("face_model", "${oc.env:SECRET}"),
        ("face_model", "../../nowhere.npz"),
        ("rasterizer", "a" * 300),
        ("focal", math.nan),
        ("image_size", -1),
        ("image_size", 10**9),
        ("spatial_channels", 10**9),
        ("output_scaling", {"light": "${oc.env:SECRET}"}),
        ("objective", {"class_path": "mgc_lightning.training.module.MGCModule", "init_args": {}}),
        ("objective", {"extra": {"a": {"loss": {"class_path": "mgc_lightning.FaceReconstructor"}}}}),
        ("objective", {"weights": [[0.0] * 3000]}),
        ("objective", {"weights": object()}),
    ],
)
def test_what_is_no_plain_value_of_its_key_is_left_out_and_told(monkeypatch, key, value):
    monkeypatch.setenv("SECRET", "hunter2")
    kept, report = trusted({key: value}, {}, {}, [])
    assert kept == {}
    (line,) = report
    assert key in line
    assert "hunter2" not in line
    assert len(line) < 400


@pytest.mark.parametrize("key", ["init", "optimizer", "scheduler", "max_nonfinite_steps", "anything"])
def test_what_an_evaluation_has_no_use_for_is_passed_over(key):
    assert trusted({key: {"class_path": "antigravity.Net", "init_args": {"a": "${oc.env:HOME}"}}}, {}, {}, []) == (
        {},
        [],
    )
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "backbone",
    [
        {"class_path": "mgc_lightning.training.module.MGCModule", "init_args": {}},
        {"class_path": "mgc_lightning.encoders.ResNet", "init_args": {"depth": "${oc.env:HOME}"}},
        {"class_path": "torch.nn.Linear", "init_args": {"in_features": 10**6, "out_features": 10**6}},
        "mgc_lightning.encoders.ResNet",
        {"class_path": ["x"], "init_args": {}},
    ],
)
def test_a_backbone_is_of_the_registry(backbone):
    with pytest.raises(MGCError, match="The checkpoint's backbone"):
        trusted({"backbone": backbone}, {}, {}, [])


def test_a_backbone_takes_no_more_memory_than_its_weights_justify():
    check_size(RESNET, 10**6)
    with pytest.raises(MGCError, match="asks for tensors of"):
        check_size({**RESNET, "init_args": {"depth": 18, "width": 4096}}, 10**6)


def test_the_identity_loss_is_left_out_where_its_recogniser_is_not():
    facenet = {"class_path": "mgc_lightning.recognisers.FaceNet", "init_args": {"path": "/no/f.safetensors"}}
    identity = {"recogniser": facenet}
    stored = {"objective": {"init_args": {"weights": {"pixel": 0.5}, "identity": identity}}}
    kept, report = trusted(stored, {}, {}, [])
    assert kept == {"objective": {"init_args": {"weights": {"pixel": 0.5}}}}
    assert report == ["objective.identity is left out: its file '/no/f.safetensors' is not here."]


def validate(path, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["validate", "--config=quickstart", "--data.init_args.val_size=2", "--data.init_args.batch_size=1",
              "--trainer.callbacks=[]", "--trainer.logger=false", f"--ckpt_path={path}", *arguments])  # fmt: skip
    return stop.value.code


def test_a_checkpoint_of_a_stranger_is_scored_and_brings_nothing(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "evil_module.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = torch.load(TRAINED, weights_only=True)
    content["mgc_hyperparameters"] |= {
        "init": "/on/the/machine/of/the/training.ckpt",
        "rasterizer": "${oc.env:SECRET}",
        "optimizer": {"class_path": "evil_module.Optimizer"},
        "objective": {"class_path": "evil_module.Objective"},
        "${oc.env:SECRET}": 1,
    }
    torch.save(content, tmp_path / "stranger.ckpt")
    small = ["--model.backbone.init_args.width=4", "--model.spatial_channels=8"]
    with caplog.at_level(logging.WARNING):
        assert validate(tmp_path / "stranger.ckpt", *small, "--model.init=null") == 0
    printed = "".join(capsys.readouterr()) + caplog.text
    assert "val/nme" in printed
    assert "hunter2" not in printed
    assert not (tmp_path / "ran").exists()
    assert "evil_module" not in sys.modules


def test_an_evaluation_does_not_ask_for_what_the_training_started_from(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--model.backbone.init_args.width=4", "--model.spatial_channels=8"]
    assert validate(TRAINED, *small, "--model.init=gone.safetensors") == 0
    assert "val/nme" in capsys.readouterr().out


def test_the_main_pose_of_the_training_comes_with_the_weights():
    from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model

    model = load_face_model()
    network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32, focal=2350.0)
    network.keep_main_pose({**network.config, "main_pose": [0.0, 0.1, 0.2, 1.0, 2.0, 4000.0]})
    torch.testing.assert_close(network.main_pose, torch.tensor([0.0, 0.1, 0.2, 1.0, 2.0, 2000.0]))
    assert network.config["main_pose"] == pytest.approx([0.0, 0.1, 0.2, 1.0, 2.0, 4000.0])
    for pose in ([0.0] * 5, ["x"] * 6, 3, [math.inf] * 6):
        with pytest.raises(MGCError, match="expected six numbers"):
            network.keep_main_pose({**network.config, "main_pose": pose})
