"""Trainings in processes of their own: a tiny network, a few steps."""

import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

SETTINGS = {
    "model": {
        "image_size": 64,
        "spatial_channels": 8,
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.001}},
    },
    "data": {"init_args": {"val_size": 2, "num_workers": 0}},
    "trainer": {
        "accelerator": "cpu",
        "logger": False,
        "num_sanity_val_steps": 0,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    },
}
ENVIRONMENT = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
SMALL_FLAGS = [
    "--model.backbone.init_args.width=8",
    "--model.image_size=48",
    "--data.init_args.val_size=4",
    "--data.init_args.batch_size=2",
    "--trainer.val_check_interval=2",
    "--trainer.num_sanity_val_steps=0",
]
SMALL = {"class_path": "mgc_lightning.encoders.ResNet", "init_args": {"depth": 18, "width": 8}}


def merge(base: dict, override: dict) -> dict:
    for key, value in override.items():
        inner = base.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        base = base | {key: merge(inner, value) if both else value}
    return base


def start(folder: Path, override: dict, *arguments: str, **environment: str) -> subprocess.Popen:
    """Start `fit` with settings in a file beside the quickstart's."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = merge(merge(SETTINGS, {"trainer": {"default_root_dir": str(folder)}}), override)
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    program = [sys.executable, "-m", "mgc_lightning.cli", "fit", "--config", "quickstart"]
    program += ["--config", str(folder / "settings.yaml"), *arguments]
    log = (folder / "log.txt").open("a")
    return subprocess.Popen(program, env=ENVIRONMENT | environment, stdout=log, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, folder: Path, status: int = 0, seconds: float = 300) -> str:
    """Wait for the end; give what was printed."""
    ended = process.wait(timeout=seconds)
    printed = (folder / "log.txt").read_text()
    assert ended == status, printed
    return printed


def wait_for(ready, process: subprocess.Popen, seconds: float = 240) -> None:
    """Wait until something holds, as long as the process lives."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, f"ended early: {process.poll()}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checkpointing(folder: Path, every: int) -> dict:
    return {
        "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
        "init_args": {
            "dirpath": str(folder),
            "filename": "{step}",
            "every_n_train_steps": every,
            "save_top_k": -1,
            "save_on_train_epoch_end": False,
        },
    }
