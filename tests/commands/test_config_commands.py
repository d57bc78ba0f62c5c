"""`mgc config list | show | diff`, and `mgc validate CONFIG`, which finds what a long training would stumble over."""

import json

import pytest
import torch
import yaml

from mgc_lightning.cli import main
from mgc_lightning.training import preflight as preflight_module
from mgc_lightning.training.preflight import Finding, preflight
from mgc_lightning.training.resolve import resolve

TINY = ["model.image_size=32", "model.backbone.width=4", "data.batch_size=2", "data.val_size=2", "data.train_size=8"]
SMALL = ["quickstart", "loggers/none", "trainers/cpu", *TINY]


@pytest.fixture
def run(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([*arguments])
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


def test_list_names_configs_and_presets(run) -> None:
    status, out, _ = run("config", "list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "face model" in lines["quickstart"]
    assert "bfloat16" in lines["trainers/bf16"]
    assert not any(name.startswith("sweeps/") for name in lines)


def test_show_composes_overlays_and_values(run) -> None:
    status, out, _ = run("config", "show", "quickstart", "ablation/single_view", "model.image_size=64")
    assert status == 0
    config = yaml.safe_load(out)
    weights = config["model"]["objective"]["init_args"]["weights"]["init_args"]
    assert (weights["pixel"], weights["landmark"]) == (0.0, 0.01)
    assert config["data"]["init_args"]["image_size"] == 64
    assert "fast_dev_run" not in config["trainer"]  # as it is by default
    assert "fast_dev_run" in resolve(["quickstart"], everything=True)["trainer"]


def test_what_a_config_leaves_to_its_user_is_marked(run) -> None:
    status, out, _ = run("config", "show", "adapt")
    assert status == 0
    assert yaml.safe_load(out)["data"]["init_args"]["path"] == "<required>"
    assert resolve(["adapt", "data.path=photos"])["data"]["init_args"]["path"] == "photos"
    status, _, err = run("config", "show", "adapt", "data.batch_size=none")  # other faults stay what they are
    assert status == 2
    assert "batch_size" in err


@pytest.mark.slow
def test_what_is_shown_is_a_config(run, tmp_path) -> None:
    shown = run("config", "show", "quickstart", "trainers/bf16")[1]
    (tmp_path / "config.yaml").write_text(shown)
    assert run("config", "diff", "quickstart,trainers/bf16", str(tmp_path))[1] == "They are resolved alike.\n"


def test_diff_gives_both_values(run) -> None:
    status, out, _ = run("config", "diff", "quickstart", "quickstart,ablation/no_pixel,trainer.max_steps=5")
    assert status == 0
    assert out.splitlines() == [
        "model.objective.init_args.weights.init_args.pixel: 0.15 -> 0.0",
        "model.scheduler.init_args.T_max: 2800 -> 5",
        "trainer.max_steps: 2800 -> 5",
    ]


def test_a_wrong_key_is_told_as_by_fit(run) -> None:
    status, _, err = run("config", "show", "quickstart", "model.imagesize=3")
    assert status == 2
    assert "Did you mean `model.image_size`" in err


def test_a_config_that_will_run_is_ready(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run("validate", *SMALL, "--json")
    found = json.loads(out)
    assert status == 0, out
    assert list(found) == ["config", "face model", "data", "steps", "memory", "time", "checkpoints", "logger"]
    assert all(each["good"] for each in found.values())
    assert "makehuman, 4,032 vertices, 80 identity" in found["face model"]["detail"]
    assert "at batch size 1, " in found["memory"]["detail"]
    assert "2,800 steps and 4 validations" in found["time"]["detail"]
    assert list(tmp_path.iterdir()) == []  # no run, no checkpoint


def test_what_fails_is_told_and_the_rest_is_tried(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    monkeypatch.setattr(preflight_module, "_train", lambda *arguments: "not now")
    status, out, _ = run("config", "check", *SMALL, "trainer.default_root_dir=taken/runs")
    assert status == 1
    assert "taken is a file" in out
    assert "It will not run." in out


def test_missing_data_are_found(tmp_path) -> None:
    findings = preflight(["quickstart", "data=TripletDataModule", f"data.path={tmp_path / 'none'}"])
    assert [finding.good for finding in findings] == [False]
    assert str(tmp_path / "none") in findings[0].detail


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_missing_gpu_is_one_finding_among_others(monkeypatch) -> None:
    monkeypatch.setattr(preflight_module, "_train", lambda *arguments: "not now")
    findings = {finding.name: finding for finding in preflight([*SMALL, "trainer.accelerator=gpu"])}
    assert findings["devices"] == Finding(
        "devices",
        False,
        "The config gives what cannot be used: No supported gpu backend found; the rest is tried on what is here",
    )
    assert findings["config"].good
    assert findings["data"].good


@pytest.mark.slow
def test_weights_are_left_alone_and_a_loss_that_is_none_fails(monkeypatch) -> None:
    measured = []

    def measure(trainer, module, data, batch_size):
        with torch.no_grad():
            next(module.network.parameters()).add_(1)
        measured.append((module, batch_size))
        return preflight_module.Step(batch_size, 0.1, 1, float("nan"))

    monkeypatch.setattr(preflight_module, "_measure", measure)
    torch.manual_seed(0)
    findings = {finding.name: finding for finding in preflight(SMALL)}
    assert findings["steps"] == Finding("steps", False, "the loss is nan after 3 steps")
    assert [size for _, size in measured] == [1, 2]
    assert float(next(measured[0][0].network.parameters()).abs().max()) < 1
