"""A validation says the same on one process and on two, where its samples do not divide evenly."""

import csv
from pathlib import Path

import pytest
from training_runs import finish, start


def run(folder: Path, devices: int, batch_size: int, **loggers: object) -> dict[str, float]:
    """Validate five samples, some of strangers, after a step that changes nothing; give what was logged."""
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(folder)}}
    checkpoint = {"monitor": "val/pixel", "dirpath": str(folder)}
    settings = {
        "model": {
            "backbone": {
                "class_path": "mgc_lightning.encoders.OfficialResNet",
                "init_args": {"depth": 18, "width": 8},
            },
            "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.0}},
            "scheduler": None,
        },
        "data": {"init_args": {"batch_size": batch_size, "train_size": 20, "val_size": 5}},
        "trainer": {
            "max_steps": 1,
            "val_check_interval": 1,
            "devices": devices,
            "strategy": "ddp" if devices > 1 else "auto",
            "logger": logger,
            "callbacks": [{"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": checkpoint}],
        },
    }
    finish(start(folder, settings), folder)
    (table,) = folder.glob("lightning_logs/*/metrics.csv")
    logged: dict[str, float] = {}
    for row in csv.DictReader(table.open()):
        logged |= {name: float(value) for name, value in row.items() if name.startswith("val/") and value}
    return logged


@pytest.mark.slow
def test_losses_and_scores_of_an_uneven_set_do_not_depend_on_processes_and_batches(tmp_path) -> None:
    alone = run(tmp_path / "one", devices=1, batch_size=4)
    together = run(tmp_path / "two", devices=2, batch_size=2)
    assert alone.keys() == together.keys() >= {"val/loss", "val/pixel", "val/photometric", "val/nme"}
    assert together == pytest.approx(alone, rel=1e-5)
