"""The shipped sweep, driven as W&B's agent drives it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mgc_lightning.files.places import configs_folder

SMALL = [
    "--model.backbone.init_args.width=8",
    "--model.image_size=64",
    "--data.init_args.val_size=4",
    "--data.init_args.batch_size=2",
    "--trainer.max_steps=4",
    "--trainer.val_check_interval=4",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.enable_progress_bar=false",
    "--trainer.callbacks=[]",
]


def compose(sweep: dict, values: dict[str, float]) -> list[str]:
    """Compose the command line with W&B's own code."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    command = utils.create_sweep_command(sweep["command"])
    arguments = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
    return [part for piece in command for part in (arguments["args"] if piece == "${args}" else [piece])]


def run_trial(line: list[str], folder: Path) -> dict:
    """Run one trial in a process of its own and give W&B's record of it."""
    program = [
        sys.executable,
        "-m",
        "mgc_lightning.cli",
        *line[1:],
        *SMALL,
        f"--trainer.default_root_dir={folder}",
    ]
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (config,) = folder.glob("**/config.yaml")
    return {"config": yaml.safe_load(config.read_text()), "run": next(folder.glob("wandb/offline-run-*"))}


def records(run: Path) -> list[dict]:
    """Read an offline run with W&B's own reader."""
    wandb = Path(sys.executable).parent / "wandb"
    done = subprocess.run([wandb, "leet", "inspect", "--json", str(run)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_the_sweep_names_keys_that_exist(capsys) -> None:
    from mgc_lightning import cli

    sweep = yaml.safe_load((configs_folder() / "sweeps" / "quickstart.yaml").read_text())
    middle = {name: parameter["min"] for name, parameter in sweep["parameters"].items()}
    line = compose(sweep, middle)
    assert line[:4] == ["lightning", "fit", "--config", "quickstart"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*line[1:], "--trainer.max_steps=7", "--model.image_size=64", "--print_config"])
    assert stop.value.code in (0, None)
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["optimizer"]["init_args"]["lr"] == middle["model.optimizer.init_args.lr"]
    # overrides reach the keys that interpolate them
    assert printed["model"]["scheduler"]["init_args"]["T_max"] == 7
    assert printed["data"]["init_args"]["image_size"] == 64
    for name, value in middle.items():
        node = printed
        for part in name.split("."):
            node = node[part] if part in node else node["init_args"][part]
        assert node == value, name


def test_two_trials_differ_in_their_logged_config_and_score(tmp_path) -> None:
    sweep = yaml.safe_load((configs_folder() / "sweeps" / "quickstart.yaml").read_text())
    rates, scores = [], []
    for index, bound in enumerate(("min", "max")):
        values = {name: parameter[bound] for name, parameter in sweep["parameters"].items()}
        trial = run_trial(compose(sweep, values), tmp_path / str(index))
        rates.append(trial["config"]["model"]["optimizer"]["init_args"]["lr"])
        assert trial["config"]["model"]["scheduler"]["init_args"]["T_max"] == 4
        history = records(trial["run"])
        logged = [entry["config"]["update"] for entry in history if entry["type"] == "config"]
        assert any(
            config.get("model", {}).get("optimizer", {}).get("init_args", {}).get("lr")
            == values["model.optimizer.init_args.lr"]
            for config in logged
        )
        metric = sweep["metric"]["name"]
        items = [entry["history"]["item"] for entry in history if entry["type"] == "history"]
        scores.append([item[metric] for item in items if metric in item][-1])
    assert rates[0] != rates[1]
    assert scores[0] != scores[1]
