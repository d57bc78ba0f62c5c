"""A resumed run is the same run: folder, id, best score, rates; and a damaged checkpoint names a good one."""

import csv
import os
import signal
from pathlib import Path

import pytest
import torch
import yaml
from training_runs import SMALL, finish, start, wait_for

from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model, save_network
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import _MACHINE
from mgc_lightning.training.last_checkpoint import read_or_name_another
from mgc_lightning.training.resumed_rates import check_same_optimizer, take_config_rates
from mgc_lightning.training.same_run import continued_loggers

SCORES = """
import lightning as L

class Scores(L.Callback):
    '''Validation scores by step, so that they worsen where the test wants it.'''

    def on_validation_epoch_end(self, trainer, module):
        module.log("val/told", {2: 1.0, 4: 3.0, 6: 2.0}[trainer.global_step])

    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step == 5:
            import time, pathlib
            (pathlib.Path(trainer.default_root_dir) / "fifth").touch()
            time.sleep(1)
"""
WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "p"}}


def scored(root: Path) -> dict:
    """Six steps with validation at every second; the best is the first."""
    checkpoints = {"monitor": "val/told", "save_last": True, "filename": "{step}"}
    callbacks = [
        {"class_path": "scores.Scores"},
        {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": checkpoints},
        {"class_path": "callbacks.ExportBestCheckpoint", "init_args": {"formats": ["safetensors"]}},
    ]
    logger = {"class_path": WANDB["class_path"], "init_args": {"project": "p", "save_dir": str(root)}}
    return {
        "model": {"backbone": SMALL},
        "data": {"init_args": {"batch_size": 2, "train_size": 200}},
        "trainer": {"max_steps": 6, "val_check_interval": 2, "callbacks": callbacks, "logger": logger},
    }


KILLED = """
import os, pathlib, signal
import lightning as L

class Killed(L.Callback):
    '''Kill the first run in the validation after step 4.'''

    def on_validation_batch_start(self, trainer, *rest):
        mark = pathlib.Path(trainer.default_root_dir) / "killed"
        if trainer.global_step == 4 and not mark.exists() and mark.parent.name == "broken":
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_validation_that_was_killed_is_done_by_the_next_run(tmp_path) -> None:
    """Its checkpoint was written before it; Lightning takes the validation of such a step for done."""
    (tmp_path / "killing.py").write_text(KILLED)
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    checkpoint = "lightning.pytorch.callbacks.ModelCheckpoint"
    each = {"every_n_train_steps": 1, "save_last": True, "save_on_train_epoch_end": False}
    best = {"monitor": "val/nme", "filename": "best-{step}", "save_on_train_epoch_end": False}
    callbacks = [
        {"class_path": "killing.Killed"},
        {"class_path": checkpoint, "init_args": each},
        {"class_path": checkpoint, "init_args": best},
    ]

    def settings(root: Path) -> dict:
        init_args = {"save_dir": str(root / "runs"), "name": "p"}
        logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": init_args}
        return {
            "model": {"backbone": SMALL, "image_size": 32},
            "data": {"init_args": {"batch_size": 1, "train_size": 100, "val_size": 1}},
            "trainer": {"max_steps": 8, "val_check_interval": 4, "logger": logger, "callbacks": callbacks},
        }

    def scores(root: Path) -> dict[int, float]:
        rows = [row for file in root.rglob("metrics*.csv") for row in csv.DictReader(file.open())]
        return {int(row["step"]): round(float(row["val/nme"]), 5) for row in rows if row.get("val/nme")}

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(whole, settings(whole), PYTHONPATH=paths), whole)
    finish(start(broken, settings(broken), PYTHONPATH=paths), broken, -signal.SIGKILL)
    finish(start(broken, settings(broken), "--ckpt_path=last", PYTHONPATH=paths), broken)
    assert scores(broken) == scores(whole)
    assert len(scores(whole)) == 2


@pytest.mark.slow
def test_a_killed_and_resumed_run_exports_what_the_unbroken_run_does(tmp_path) -> None:
    """Its best score was before the kill, and the first score after it is better than the one in between."""
    (tmp_path / "scores.py").write_text(SCORES)
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(whole, scored(whole), PYTHONPATH=paths), whole)
    process = start(broken, scored(broken), PYTHONPATH=paths)
    wait_for((broken / "fifth").exists, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (last,) = broken.glob("p/*/checkpoints/last.ckpt")
    left_over = last.with_name(f".last.{process.pid}@{_MACHINE}.ab12cd_9.ckpt")
    left_over.write_bytes(b"half")
    (broken / "fifth").unlink()

    printed = finish(start(broken, scored(broken), "--ckpt_path=last", PYTHONPATH=paths), broken)
    name = last.parents[1].name
    assert f"The run p/{name} in {broken} goes on." in printed
    assert [folder.name for folder in (broken / "p").iterdir()] == [name]
    assert len(list(broken.glob(f"wandb/offline-run-*-{name}"))) == 2  # one id, sent twice, is one run there
    assert not left_over.exists()
    exported = [next(root.glob("p/*/export/network.safetensors")).read_bytes() for root in (whole, broken)]
    assert exported[0] == exported[1]
    states = [torch.load(next(root.glob("p/*/checkpoints/last.ckpt")), weights_only=True) for root in (whole, broken)]
    best = [next(v for k, v in state["callbacks"].items() if k.startswith("ModelCheckpoint")) for state in states]
    assert [Path(state["best_model_path"]).name for state in best] == ["step=2.ckpt"] * 2
    assert [float(state["best_model_score"]) for state in best] == [1.0, 1.0]


@pytest.mark.slow
def test_what_a_training_started_from_need_not_be_there_when_it_goes_on(tmp_path) -> None:
    """The record of the run names it all the same."""
    torch.manual_seed(0)
    model = load_face_model()
    network = FaceNetwork(Encoder(ResNet(18, width=8), model.layout.total, 8), model, image_size=64)
    begin = save_network(network, tmp_path / "begin.safetensors")
    checkpoint = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"save_last": True}}
    settings = {
        "model": {"backbone": SMALL, "init": str(begin), "output_scaling": None},
        "data": {"init_args": {"batch_size": 2, "train_size": 20}},
        "trainer": {"max_steps": 1, "limit_val_batches": 0, "callbacks": [checkpoint]},
    }
    finish(start(tmp_path, settings), tmp_path)
    begin.unlink()
    settings["trainer"]["max_steps"] = 2
    finish(start(tmp_path, settings, "--ckpt_path=last"), tmp_path)
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2
    assert last["mgc_hyperparameters"]["init"] == str(begin)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["model"]["init"] == str(begin)


RUN = [{"class": "WandbLogger", "name": "p", "version": "k3x9"}]
LAST = Path("/disk/runs/p/k3x9/checkpoints/last.ckpt")


@pytest.mark.parametrize("own", [{"version": "mine"}, {"id": "mine"}, {"project": "q"}])
def test_a_logger_with_an_id_or_project_of_its_own_starts_a_run(own) -> None:
    logger = {"class_path": WANDB["class_path"], "init_args": WANDB["init_args"] | own}
    assert continued_loggers(logger, RUN, LAST, None) == (logger, "")


@pytest.mark.parametrize(
    "run",
    [
        "k3x9",
        [None],
        [{"class": "WandbLogger", "name": "p", "version": "../../elsewhere"}],
        [{"class": "WandbLogger", "name": "p", "version": "${oc.env:HOME}"}],
        [{"class": "WandbLogger", "name": "p", "version": ["k"]}],
    ],
)
def test_a_strangers_checkpoint_names_no_run(run) -> None:
    assert continued_loggers(WANDB, run, LAST, None) == (WANDB, "")


def test_lightnings_own_logger_goes_on_too() -> None:
    run = [{"class": "CSVLogger", "name": "lightning_logs", "version": 4}]
    logger, line = continued_loggers(None, run, Path("/r/lightning_logs/version_4/checkpoints/last.ckpt"), "here")
    assert logger["class_path"] == "lightning.pytorch.loggers.CSVLogger"
    assert logger["init_args"] == {"save_dir": "/r", "name": "lightning_logs", "version": 4}
    assert "lightning_logs/4" in line


def test_a_damaged_checkpoint_names_the_newest_good_one_beside_it(tmp_path) -> None:
    for step in (1, 2, 3):
        torch.save({"state_dict": {}, "global_step": step}, tmp_path / f"step={step}.ckpt")
        os.utime(tmp_path / f"step={step}.ckpt", (step, step))
    whole = (tmp_path / "step=3.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "step=3.ckpt").write_bytes(whole[:100])
    with pytest.raises(MGCError, match=r"last\.ckpt.*good one beside it is .*step=2\.ckpt"):
        read_or_name_another(tmp_path / "last.ckpt")


def state_after(steps: int, rate: float, period: int) -> dict:
    """Give a checkpoint's optimiser and schedule."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=period)
    for _ in range(steps):
        weight.sum().backward()
        optimizer.step()
        schedule.step()
    return {
        "global_step": steps,
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
    }


def test_the_configs_rate_and_schedule_hold_and_moments_stay() -> None:
    old, wanted = state_after(8, 1e-3, 10), state_after(8, 1e-5, 40)
    take_config_rates(
        old,
        lambda parameters: torch.optim.Adam(parameters, lr=1e-5),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40),
    )
    assert old["lr_schedulers"] == wanted["lr_schedulers"]
    assert old["optimizer_states"][0]["param_groups"] == wanted["optimizer_states"][0]["param_groups"]
    assert old["optimizer_states"][0]["state"][0]["step"] == 8


def test_a_schedule_can_be_taken_away() -> None:
    old = state_after(8, 1e-3, 10)
    take_config_rates(old, lambda parameters: torch.optim.Adam(parameters, lr=1e-5), None)
    assert old["lr_schedulers"] == []
    assert old["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-5
    assert "initial_lr" not in old["optimizer_states"][0]["param_groups"][0]


def test_sgd_after_adam_is_one_sentence() -> None:
    adam, sgd = ({"optimizer": {"class_path": f"torch.optim.{name}"}} for name in ("Adam", "SGD"))
    with pytest.raises(MGCError, match=r"torch\.optim\.Adam .*torch\.optim\.SGD.*`model\.init`"):
        check_same_optimizer(adam, sgd)


@pytest.mark.slow
def test_a_resumed_fit_trains_at_the_configs_rate(tmp_path) -> None:
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(tmp_path)}}

    def settings(steps: int, rate: float) -> dict:
        adam = {"class_path": "torch.optim.Adam", "init_args": {"lr": rate}}
        monitor = {"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"}
        checkpoint = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"save_last": True}}
        checkpoint["init_args"]["every_n_train_steps"] = 1
        trainer = {"max_steps": steps, "limit_val_batches": 0, "logger": logger, "callbacks": [monitor, checkpoint]}
        model = {"backbone": SMALL, "scheduler": None, "optimizer": adam}
        return {"model": model, "data": {"init_args": {"batch_size": 2, "train_size": 20}}, "trainer": trainer}

    finish(start(tmp_path, settings(2, 1e-3)), tmp_path)
    printed = finish(start(tmp_path, settings(4, 1e-5), "--ckpt_path=last"), tmp_path)
    assert "optimizer.init_args.lr is 0.001 there and 1e-05 in the config; the config's is used." in printed
    (run,) = (tmp_path / "lightning_logs").iterdir()
    rates = [torch.load(path, weights_only=True) for path in run.glob("checkpoints/last.ckpt")]
    assert rates[0]["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-5
    header, *rows = (run / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("lr-Adam")
    assert {row.split(",")[column] for row in rows} - {""} == {"1e-05"}
    before = (run / "metrics-1.csv").read_text().splitlines()  # of the first half
    assert "0.001" in {row.split(",")[before[0].split(",").index("lr-Adam")] for row in before[1:]}
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["logger"]["init_args"]["version"] == 0

    sgd = settings(6, 1e-5)
    sgd["model"]["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e-5}}
    printed = finish(start(tmp_path, sgd, "--ckpt_path=last"), tmp_path, status=2)
    assert "error: The checkpoint was trained with torch.optim.Adam" in printed
