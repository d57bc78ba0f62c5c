"""Where a run comes from is kept with it, and a logger that fails ends no training."""

import json
import logging
import os
import subprocess
import sys

import yaml
from lightning.pytorch.loggers import WandbLogger
from training_runs import SMALL, finish, start

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
