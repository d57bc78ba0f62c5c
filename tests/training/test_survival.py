"""Training survives: a killed run continues to the same weights; two processes train as one."""

import json
import os
import signal
import time
from pathlib import Path

import torch
from training_runs import ENVIRONMENT, checkpointing, finish, start


def killable(folder: Path) -> dict:
    """Sixteen steps in epochs of five with validation between, a checkpoint at every third."""
    return {
        "model": {
            "backbone": {
                "class_path": "mgc_lightning.encoders.ResNet",
                "init_args": {"depth": 18, "width": 8},
            }
        },
        "data": {"init_args": {"batch_size": 2, "train_size": 10}},
        "trainer": {
            "max_steps": 16,
            "val_check_interval": None,
            "check_val_every_n_epoch": 1,
            "callbacks": [checkpointing(folder, every=3)],
        },
    }


def test_a_killed_run_continues_to_the_same_weights(tmp_path) -> None:
    whole = tmp_path / "whole"
    finish(start(whole, killable(whole)), whole)

    broken = tmp_path / "broken"
    process = start(broken, killable(broken))
    seen = broken / "step=6.ckpt"
    deadline = time.monotonic() + 240
    while not seen.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    checkpoints = sorted(broken.glob("*.ckpt"), key=lambda path: int(path.stem.split("=")[1]))
    assert checkpoints, (broken / "log.txt").read_text()
    # the newest one may be half written: a kill is a kill
    resume_from = seen if seen in checkpoints else checkpoints[0]
    for path in checkpoints:
        if int(path.stem.split("=")[1]) > 6:
            path.unlink()
    finish(start(broken, killable(broken), f"--ckpt_path={resume_from}"), broken)

    ours, theirs = (torch.load(folder / "step=15.ckpt", weights_only=True) for folder in (broken, whole))
    assert ours["global_step"] == theirs["global_step"] == 15
    assert ours["epoch"] == theirs["epoch"]
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name
    for left, right in zip(ours["optimizer_states"], theirs["optimizer_states"], strict=True):
        for index, state in right["state"].items():
            for key, value in state.items():
                assert torch.equal(left["state"][index][key], value), (index, key)
    assert ours["lr_schedulers"] == theirs["lr_schedulers"]


def distributed(folder: Path, devices: int, batch_size: int) -> dict:
    """Three steps of plain gradient descent, without batch norm, at a global batch of four.

    Later, rounding flips the first pixel from one triangle to its neighbour, and runs part slowly.
    """
    return {
        "model": {
            "backbone": {
                "class_path": "mgc_lightning.encoders.OfficialResNet",
                "init_args": {"depth": 18, "width": 8},
            },
            "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.001}},
            "scheduler": None,
        },
        "data": {"init_args": {"batch_size": batch_size, "train_size": 20}},
        "trainer": {
            "max_steps": 3,
            "limit_val_batches": 0,
            "val_check_interval": None,
            "devices": devices,
            "strategy": "ddp" if devices > 1 else "auto",
            "callbacks": [
                checkpointing(folder, every=3),
                {"class_path": "sample_recorder.SampleRecorder", "init_args": {"folder": str(folder)}},
            ],
        },
    }


RECORDER = """
import json
from pathlib import Path
import lightning as L

class SampleRecorder(L.Callback):
    def __init__(self, folder: str):
        self.folder, self.seen = Path(folder), []

    def on_train_batch_start(self, trainer, module, batch, index):
        self.seen.append(list(batch.sample_id))

    def on_train_end(self, trainer, module):
        (self.folder / f"samples{trainer.global_rank}.json").write_text(json.dumps(self.seen))
"""


def test_two_processes_train_as_one(tmp_path, monkeypatch) -> None:
    (tmp_path / "sample_recorder.py").write_text(RECORDER)
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(tmp_path))
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start(one, distributed(one, devices=1, batch_size=4)), one)
    finish(start(two, distributed(two, devices=2, batch_size=2)), two)

    alone = json.loads((one / "samples0.json").read_text())
    first, second = (json.loads((two / f"samples{rank}.json").read_text()) for rank in (0, 1))
    for step, batch in enumerate(alone):
        assert not set(first[step]) & set(second[step])
        assert set(first[step]) | set(second[step]) == set(batch)

    ours, theirs = (torch.load(folder / "step=3.ckpt", weights_only=True)["state_dict"] for folder in (two, one))
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=1e-5, atol=2e-7, msg=lambda text, n=name: f"{n}: {text}")


def test_the_weights_have_moved(tmp_path) -> None:
    """A comparison of runs that learn nothing would prove nothing."""
    folder = tmp_path / "moved"
    settings = distributed(folder, devices=1, batch_size=4)
    settings["trainer"]["callbacks"] = [checkpointing(folder, every=1)]
    settings["trainer"]["max_steps"] = 2
    finish(start(folder, settings), folder)
    first, second = (torch.load(folder / f"step={n}.ckpt", weights_only=True)["state_dict"] for n in (1, 2))
    assert any(not torch.equal(first[name], second[name]) for name in first)
