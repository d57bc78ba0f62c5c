"""The real `wandb agent`, real trainings, and a stand-in for the server on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from training_runs import SMALL_FLAGS
from wandb_stand_in import StandIn, serving

from mgc_lightning.files.places import configs_folder

pytest.importorskip("wandb")


@pytest.mark.slow
def test_agents_hand_over_parameters_stop_trials_and_count_failures(tmp_path) -> None:
    sweep = yaml.safe_load((configs_folder() / "sweeps" / "multi_view.yaml").read_text())
    program = [sys.executable, "-m", "mgc_lightning.cli"]
    sweep["command"] = [*program, *sweep["command"][1:-1], *SMALL_FLAGS, "${args}"]
    trials = [
        # a nested parameter comes as a mapping, a dotted one by its name
        {"model": {"objective": {"weights": {"pixel": 0.7}}}, "trainer.max_steps": 4},
        {"model.objective.weights.pixel": 0.1, "trainer.max_steps": 100000},
        {"model.backbone.init_args.depth": 19},
        {"trainer.max_steps": 4},
    ]
    stand_in = StandIn(sweep, trials, stop=lambda trial, rows: trial == 1 and any("val/posed" in row for row in rows))
    root = Path(__file__).parents[2]
    before = os.environ.get("PYTHONPATH")
    ours = {"PYTHONPATH": os.pathsep.join([str(root), *([before] if before else [])]), "OMP_NUM_THREADS": "1"}
    with serving(stand_in) as environment:
        line = [
            Path(sys.executable).parent / "wandb",
            "agent",
            "--max-consecutive-failed-runs",
            "1",
            "me/quickstart/sweep",
        ]
        done = subprocess.run(
            line,
            env=os.environ | environment | ours | {"HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=500,
        )
    printed = done.stdout + done.stderr
    # the first came to its end, with what was asked for, and with all that was not asked for as it was
    (config,) = (tmp_path / "runs" / "quickstart" / "trial0").glob("config.yaml")
    objective = yaml.safe_load(config.read_text())["model"]["objective"]["init_args"]
    assert objective["weights"]["init_args"]["pixel"] == 0.7
    assert objective["weights"]["init_args"]["landmark"] == 1.0e-2
    assert "same_person" in objective["extra"]
    assert stand_in.exits["trial0"] == 0
    assert any("val/posed" in row for row in stand_in.rows["trial0"])
    # the second was stopped, and did not count as a failure: its agent began the third
    assert stand_in.stopped == {"trial1"}
    assert "SIGTERM: stopped after step" in printed
    # the third failed, and that did count: its agent begins no fourth
    assert "must be one of 18, 34, 50; got" in printed
    assert "Detected 1 consecutive failed runs" in printed
    assert stand_in.begun == 3
    # no weights were uploaded
    assert not [path for path in stand_in.uploads if path.endswith((".onnx", ".pt2", ".safetensors", ".ckpt"))]
