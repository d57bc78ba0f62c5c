"""Loader processes without memory: the sentence names /dev/shm, or the workers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mgc_lightning.training import loader_memory
from mgc_lightning.training.loader_memory import loader_trouble

SIZES = {"small": 64 * 2**20, "large": 2**34}


@pytest.mark.parametrize(
    ("said", "size", "expected"),
    [
        ("DataLoader worker (pid(s) 1677) exited unexpectedly", "small", "/dev/shm, .* too small for them (64 MB)"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible", "large", "/dev/shm, .* too small"),
        ("DataLoader worker (pid 7) is killed by signal: Killed.", "large", "by the system where memory ran out"),
    ],
)
def test_the_sentence_says_what_was_too_small(said, size, expected, monkeypatch) -> None:
    monkeypatch.setattr(loader_memory, "SHARED", Path("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(SIZES[size], 0, 0))
    error = RuntimeError("odd")
    error.__cause__ = RuntimeError(said)
    words = expected.replace("/dev/shm", "/").replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(RuntimeError, match=words):
        raise RuntimeError(loader_trouble(error))


@pytest.mark.slow
def test_a_training_with_a_tiny_dev_shm_says_so(tmp_path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no name spaces here")
    command = [
        sys.executable, "-m", "mgc_lightning.cli", "fit", "--config=quickstart", "--trainer.max_steps=3",
        "--trainer.accelerator=cpu", "--data.init_args.batch_size=8", "--data.init_args.num_workers=2",
        "--trainer.logger=false", f"--trainer.default_root_dir={tmp_path}", "--trainer.callbacks=[]",
    ]  # fmt: skip
    script = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: /dev/shm, by which" in done.stderr
    assert "is too small for them (1 MB)" in done.stderr
    assert "Traceback" not in done.stderr
