"""A signal ends a training with a checkpoint, one line that says how to go on, and a status that says it."""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from training_runs import SMALL, finish, start, wait_for

from mgc_lightning.training.stop import how_to_go_on

PROGRESS = """
import time
from pathlib import Path
import lightning as L

class Progress(L.Callback):
    def __init__(self, file: str, slow_validation: float = 0.0, slow_step: float = 0.0):
        self.file, self.slow_validation, self.slow_step = Path(file), slow_validation, slow_step

    def on_train_batch_end(self, trainer, *rest):
        self.file.write_text(str(trainer.global_step))
        time.sleep(self.slow_step)

    def on_validation_batch_end(self, trainer, module, outputs, batch, index, *rest):
        with self.file.with_name("validated").open("a") as file:
            file.write(str(index))
        time.sleep(self.slow_validation)
"""


def endless(folder: Path, **trainer: object) -> dict:
    """Train until told to stop; no checkpoint is due before."""
    callbacks = [
        {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"dirpath": str(folder)}},
        {"class_path": "progress.Progress", "init_args": {"file": str(folder / "step")}},
    ]
    return {
        "model": {"backbone": SMALL},
        "data": {"init_args": {"batch_size": 2, "train_size": 200000}},
        "trainer": {"max_steps": 100000, "val_check_interval": 50000, "callbacks": callbacks, **trainer},
    }


@pytest.fixture
def paths(tmp_path) -> str:
    (tmp_path / "progress.py").write_text(PROGRESS)
    return os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])


def trained(folder: Path) -> int:
    text = (folder / "step").read_text() if (folder / "step").exists() else ""
    return int(text or 0)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGINT, signal.SIGUSR1))],
)
def test_a_signal_leaves_a_checkpoint_and_says_how_to_go_on(tmp_path, paths, number) -> None:
    folder = tmp_path / "run"
    process = start(folder, endless(folder), PYTHONPATH=paths)
    wait_for(lambda: trained(folder) >= 2, process)
    process.send_signal(number)
    printed = finish(process, folder, status=128 + number)
    assert "Traceback" not in printed
    step = torch.load(folder / "last.ckpt", weights_only=True)["global_step"]
    assert step == trained(folder) >= 2  # no step is lost
    (line,) = [line for line in printed.splitlines() if "Go on with" in line]
    assert f"{signal.Signals(number).name}: stopped after step {step}." in line
    assert f"--ckpt_path {folder / 'last.ckpt'}" in line


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path, paths) -> None:
    folder, whole = tmp_path / "run", tmp_path / "whole"

    def eight_steps(place: Path) -> dict:
        settings = endless(place, max_steps=8, val_check_interval=4)
        settings["trainer"]["callbacks"][0]["init_args"] |= {"save_last": True, "every_n_train_steps": 8}
        settings["trainer"]["callbacks"][1]["init_args"]["slow_step"] = 0.5
        return settings

    process = start(folder, eight_steps(folder), PYTHONPATH=paths)
    wait_for(lambda: trained(folder) >= 2, process)
    process.send_signal(signal.SIGTERM)
    finish(process, folder, status=143)
    assert trained(folder) < 8
    finish(start(folder, eight_steps(folder), f"--ckpt_path={folder / 'last.ckpt'}", PYTHONPATH=paths), folder)
    finish(start(whole, eight_steps(whole), PYTHONPATH=paths), whole)
    ours, theirs = (torch.load(place / "last.ckpt", weights_only=True) for place in (folder, whole))
    assert ours["global_step"] == theirs["global_step"] == 8
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name
    assert ours["lr_schedulers"] == theirs["lr_schedulers"]


@pytest.mark.slow
@pytest.mark.parametrize("steps_an_epoch", [4, 2])
def test_a_validation_that_was_interrupted_is_done_again_as_a_whole(tmp_path, paths, steps_an_epoch) -> None:
    folder = tmp_path / "run"
    settings = endless(folder, max_steps=4, val_check_interval=2)
    settings["data"]["init_args"] |= {"val_size": 8, "train_size": 2 * steps_an_epoch}
    progress = settings["trainer"]["callbacks"][1]["init_args"]
    progress["slow_validation"] = 1.0
    process = start(folder, settings, PYTHONPATH=paths)
    validated = folder / "validated"
    wait_for(validated.exists, process)
    process.send_signal(signal.SIGTERM)
    finish(process, folder, status=143)
    assert validated.read_text() == "0"  # of four, and at once
    validated.unlink()
    progress["slow_validation"] = 0.0
    settings["trainer"]["max_steps"] = 3  # before the next
    finish(start(folder, settings, f"--ckpt_path={folder / 'last.ckpt'}", PYTHONPATH=paths), folder)
    assert validated.read_text() == "0123"
    assert trained(folder) == 3


@pytest.mark.slow
def test_a_trial_that_its_sweep_stops_has_not_failed(tmp_path, paths) -> None:
    folder = tmp_path / "run"
    process = start(folder, endless(folder), PYTHONPATH=paths, WANDB_SWEEP_ID="s")
    wait_for(lambda: trained(folder) >= 1, process)
    process.send_signal(signal.SIGTERM)
    finish(process, folder, status=0)
    assert (folder / "last.ckpt").exists()


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_stops_both_after_the_same_step(tmp_path, paths) -> None:
    folder = tmp_path / "run"
    process = start(folder, endless(folder, devices=2, strategy="ddp"), PYTHONPATH=paths)
    wait_for(lambda: trained(folder) >= 2, process)
    process.send_signal(signal.SIGTERM)
    printed = finish(process, folder, status=143)
    assert printed.count("Go on with") == 1
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] >= 2


@pytest.mark.slow
def test_under_slurm_the_job_is_requeued(tmp_path, paths) -> None:
    folder, tools = tmp_path / "run", tmp_path / "bin"
    tools.mkdir()
    scontrol = tools / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "requeued"}\n')
    scontrol.chmod(0o755)
    slurm = {
        "SLURM_JOB_ID": "77",
        "SLURM_NTASKS": "1",
        "SLURM_JOB_NAME": "train",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_JOB_NODELIST": "localhost",
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
    }
    process = start(folder, endless(folder), PYTHONPATH=paths, **slurm)
    wait_for(lambda: trained(folder) >= 1, process)
    process.send_signal(signal.SIGUSR1)
    wait_for((tmp_path / "requeued").exists, process)
    process.kill()
    process.wait()
    assert (tmp_path / "requeued").read_text().split() == ["requeue", "77"]
    assert list(folder.glob("hpc_ckpt_*.ckpt"))


def test_the_line_to_go_on_replaces_the_checkpoint_of_before() -> None:
    line = how_to_go_on(Path("a b/last.ckpt"), ["mgc", "fit", "--ckpt_path", "old.ckpt", "--config", "quickstart"])
    assert line == "mgc fit --config quickstart --ckpt_path 'a b/last.ckpt'"
    assert how_to_go_on(Path("l.ckpt"), ["x/cli.py", "fit"]).startswith(sys.executable)
