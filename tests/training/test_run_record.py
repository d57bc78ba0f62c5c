"""Where a run comes from is kept with it, and a logger that fails ends no training."""

import contextlib
import errno
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from training_runs import SMALL, SMALL_FLAGS, finish, start, wait_for
from wandb_stand_in import StandIn, serving

from mgc_lightning.training.provenance import commit, describe_origin
from mgc_lightning.training.uploads import keep_training
from mgc_lightning.training.wandb_mode import prepare_wandb


def test_a_run_keeps_command_and_code(tmp_path) -> None:
    logger = {
        "class_path": "lightning.pytorch.loggers.CSVLogger",
        "init_args": {"save_dir": str(tmp_path), "name": "r"},
    }
    override = {"model": {"backbone": SMALL}, "trainer": {"max_steps": 1, "logger": logger, "callbacks": []}}
    finish(start(tmp_path, override, "--seed_everything=7"), tmp_path)
    folder = tmp_path / "r" / "version_0"
    origin = json.loads((folder / "run.json").read_text())
    assert "fit --config quickstart" in origin["command"]
    assert origin["command"].endswith("--seed_everything=7")
    assert origin["code"].startswith("mgc-lightning ")
    hyperparameters = yaml.safe_load((folder / "hparams.yaml").read_text())
    assert hyperparameters["run"] == origin
    # the config stays one that `fit` reads
    assert "run" not in yaml.safe_load((folder / "config.yaml").read_text())


def test_commits_are_told_with_what_was_changed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "mine.py").write_text("1")
    subprocess.run([*git, "add", "mine.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.chdir(tmp_path)
    assert describe_origin(["mgc"])["working_folder_commit"] == head
    (tmp_path / "mine.py").write_text("2")
    assert commit(tmp_path) == f"{head}-dirty"
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) is None


def test_a_client_that_fails_is_one_warning(tmp_path, caplog) -> None:
    logger = WandbLogger(project="p", save_dir=str(tmp_path), offline=True)
    written = []

    def fails(metrics, step=None):
        written.append(step)
        raise BrokenPipeError("the service has ended")

    logger.log_metrics = fails
    keep_training([logger])
    keep_training([logger])
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            logger.log_metrics({"loss": 1.0}, step=step)
    assert written == [0, 1, 2]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "the service has ended" in said
    assert "the training goes on" in said


def test_a_table_that_cannot_be_written_is_one_warning(tmp_path, caplog) -> None:
    logger = CSVLogger(tmp_path, name="mine", version="one")

    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    logger.save = full
    keep_training([logger])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            logger.save()
    (said,) = [record.getMessage() for record in caplog.records]
    assert "the run goes on" in said
    assert str(tmp_path / "mine" / "one") in said
    assert "No space left on device" in said

    def wrong():
        raise OSError("no such host")

    other = CSVLogger(tmp_path, name="mine", version="two")
    other.save = wrong
    keep_training([other])
    with pytest.raises(OSError, match="no such host"):
        other.save()


def test_a_service_that_does_not_end_is_ended(monkeypatch, caplog) -> None:
    from mgc_lightning.training import uploads

    service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(uploads, "_service", lambda: service)
    monkeypatch.setattr(uploads, "GRACE", 0.1)
    with caplog.at_level(logging.WARNING):
        uploads.limit_last_upload(0.1)
        assert service.wait(30) != 0
    assert "`wandb sync PATH` uploads the rest" in caplog.text
    monkeypatch.delenv("WANDB_FINISH_TIMEOUT", raising=False)
    prepare_wandb()
    assert os.environ["WANDB_FINISH_TIMEOUT"] == "600"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize("trouble", ["the server refuses", "the service is killed"])
def test_a_training_ends_well_without_its_server(tmp_path, trouble) -> None:
    stand_in = StandIn({"method": "random"}, [])
    steps = ["--trainer.max_steps=30", "--trainer.log_every_n_steps=1", "--trainer.val_check_interval=15"]
    line = [sys.executable, "-m", "mgc_lightning.cli", "fit", "--config", "quickstart", *SMALL_FLAGS, *steps]
    root = str(Path(__file__).parents[2])
    ours = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "WANDB_FINISH_TIMEOUT": "5"}
    ours["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", root)])
    with serving(stand_in) as environment, (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(
            line, env=os.environ | environment | ours, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
        wait_for(lambda: any(stand_in.rows.values()), process)
        if trouble == "the server refuses":
            stand_in.refuse = 500
        else:
            os.kill(child(process.pid, "wandb-core"), signal.SIGKILL)
        printed = finish(process, tmp_path)
    if trouble == "the server refuses":
        assert "`wandb sync PATH` uploads the rest" in printed
    else:
        assert "Weights & Biases takes no more of this run" in printed
    (run,) = (tmp_path / "runs" / "quickstart").iterdir()
    assert (run / "export" / "network.onnx").is_file()
    assert (run / "faces.csv").is_file()


def child(process: int, name: str) -> int:
    """Find a child of a process by a word of its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process and name in (folder / "cmdline").read_text():
                return int(folder.name)
    raise AssertionError(f"{process} has no child {name}")
