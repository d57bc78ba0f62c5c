"""Checkpoints under full disks, kills and damage: whole or absent, the last good one kept, and told."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import _MACHINE, atomic_path, remove_leftovers
from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.training.checkpoint_io import AtomicCheckpointIO
from mgc_lightning.training.keeping import KeepLastGood

TRAIN = ["fit", "--config=quickstart", "--trainer.max_steps=2", "--trainer.limit_val_batches=1",
         "--trainer.val_check_interval=2", "--data.init_args.batch_size=1", "--data.init_args.val_size=1",
         "--trainer.logger=false", "--trainer.enable_progress_bar=false",
         '--trainer.callbacks=[{"class_path":"lightning.pytorch.callbacks.ModelCheckpoint"}]']  # fmt: skip


@pytest.fixture
def full_disk(monkeypatch):
    """Let writes fail as long as the list that is given back has something in it."""
    full, save = ["full"], torch.save

    def write(value, stream):
        if full:
            stream.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(value, stream)

    monkeypatch.setattr(torch, "save", write)
    return full


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_good_one(tmp_path, full_disk, caplog):
    checkpoints, path = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    full_disk.clear()
    checkpoints.save_checkpoint({"global_step": 1}, path)
    full_disk.append("full")
    with caplog.at_level(logging.WARNING):
        checkpoints.save_checkpoint({"global_step": 2}, path)
    assert "No space left on device" in caplog.text
    assert checkpoints.load_checkpoint(path) == {"global_step": 1}
    assert os.listdir(tmp_path) == ["last.ckpt"]
    checkpoints.check_written()


def test_what_was_to_be_replaced_stays_where_its_successor_could_not_be_written(tmp_path, full_disk):
    full_disk.clear()

    class FullLater(L.Callback):
        def on_train_epoch_start(self, trainer, module):
            full_disk[:] = ["full"] if trainer.current_epoch else []

    trainer = L.Trainer(
        default_root_dir=tmp_path, max_epochs=3, limit_train_batches=1, limit_val_batches=0, logger=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", plugins=[AtomicCheckpointIO()],
        callbacks=[FullLater(), ModelCheckpoint(tmp_path / "kept", filename="{epoch}", save_top_k=1)],
    )  # fmt: skip
    trainer.fit(BoringModel())
    assert os.listdir(tmp_path / "kept") == ["epoch=0.ckpt"]
    assert trainer.strategy.checkpoint_io.load_checkpoint(tmp_path / "kept" / "epoch=0.ckpt")["epoch"] == 0


class Improving(BoringModel):
    def validation_step(self, batch, batch_idx):
        self.log("score", 1.0 / (1 + self.global_step))


def test_the_best_checkpoint_is_one_that_is_there(tmp_path, full_disk, caplog):
    """The disk is full for one step: what was best, and last, before it stays, on the disk and in memory."""
    full_disk.clear()
    keeper = ModelCheckpoint(tmp_path, monitor="score", save_last=True, filename="{step}",
                             save_on_train_epoch_end=False)  # fmt: skip
    seen = []

    class FullAtThree(L.Callback):
        def on_train_batch_start(self, trainer, *rest):
            files = sorted(path.name for path in tmp_path.glob("*.ckpt"))
            best = keeper.best_model_path and os.path.basename(keeper.best_model_path)
            seen.append((files, best, keeper.best_model_score and keeper.best_model_score.item()))
            full_disk[:] = ["full"] if trainer.global_step == 2 else []

    trainer = L.Trainer(
        max_steps=4, val_check_interval=1, limit_val_batches=1, logger=False, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", plugins=[AtomicCheckpointIO()],
        callbacks=[FullAtThree(), KeepLastGood(), keeper],
    )  # fmt: skip
    trainer.fit(Improving())
    assert seen[2] == seen[3] == (["last.ckpt", "step=2.ckpt"], "step=2.ckpt", pytest.approx(1 / 3))
    assert "The last good checkpoint stays" in caplog.text
    assert sorted(path.name for path in tmp_path.glob("*.ckpt")) == ["last.ckpt", "step=4.ckpt"]
    assert os.path.basename(keeper.best_model_path) == "step=4.ckpt"


def test_a_checkpoint_that_was_read_a_moment_ago_is_not_read_again(tmp_path):
    checkpoints = AtomicCheckpointIO(("last.ckpt", {"global_step": 3}))
    assert checkpoints.load_checkpoint("last.ckpt") == {"global_step": 3}
    with pytest.raises(MGCError):
        checkpoints.load_checkpoint("last.ckpt")


def test_a_training_without_any_checkpoint_ends_with_an_error(tmp_path, monkeypatch, full_disk, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main([*TRAIN, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert stop.value.code == 2
    assert "could be written, so the training is lost" in capsys.readouterr().err


def test_a_damaged_checkpoint_names_the_newest_good_one(tmp_path):
    checkpoints = AtomicCheckpointIO()
    for step in (1, 2, 3):
        path = tmp_path / f"step={step}.ckpt"
        checkpoints.save_checkpoint({"global_step": step, "weights": torch.ones(1000)}, path)
        os.utime(path, (step, step))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MGCError, match=r"step=3\.ckpt.*newest good one beside it is .*step=2\.ckpt"):
        checkpoints.load_checkpoint(path)
    (tmp_path / "step=3.ckpt").write_bytes(content[:2000])
    with pytest.raises(MGCError, match=r"newest good one beside it is .*step=2\.ckpt"):
        checkpoints.load_checkpoint(path)


def test_a_run_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = tmp_path / f".last.{gone.stdout.strip()}@{_MACHINE}.abcd1234.ckpt"
    elsewhere = tmp_path / ".last.1@000000.abcd1234.ckpt"
    others = [elsewhere, tmp_path / ".hidden.ckpt", tmp_path / f".notes.1{gone.stdout.strip()}.txt"]
    for file in (left, *others):
        file.write_bytes(b"half")
    with atomic_path(tmp_path / "best.ckpt") as temporary:
        AtomicCheckpointIO().save_checkpoint({"global_step": 1}, tmp_path / "last.ckpt")
        assert temporary.exists()
    assert not left.exists()
    assert all(file.exists() for file in others)
    os.utime(elsewhere, (0, 0))
    assert remove_leftovers(tmp_path) == [elsewhere]


WRITER = """
import sys, torch
from mgc_lightning.training.checkpoint_io import AtomicCheckpointIO
checkpoints, step = AtomicCheckpointIO(), 0
while True:
    checkpoints.save_checkpoint({"state_dict": {"weights": torch.full((2_000_000,), step)}}, sys.argv[1])
    print(step, flush=True)
    step += 1
"""


@pytest.mark.parametrize(
    "wait", [0.003, pytest.param(0.0, marks=pytest.mark.slow), pytest.param(0.01, marks=pytest.mark.slow)]
)
def test_a_kill_leaves_a_whole_checkpoint_on_another_file_system(tmp_path, wait):
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    folder = tmp_path / "run" if shared is tmp_path else f"{shared}/mgc_{os.getpid()}_{wait}"
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "last.ckpt")
    try:
        process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        for _ in range(3):
            process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        weights = read_checkpoint(path)["state_dict"]["weights"]
        assert int(weights[0]) >= 2
        assert bool((weights == weights[0]).all())
        AtomicCheckpointIO().save_checkpoint({"state_dict": {}}, path)
        assert os.listdir(folder) == ["last.ckpt"]
    finally:
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
        os.rmdir(folder)
