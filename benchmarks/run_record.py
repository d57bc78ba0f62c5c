"""Measure what a run's record costs: the share of a training that is spent on logging, tables, pictures and meshes.

    python benchmarks/run_record.py                  # the quickstart's network, logger and intervals
    python benchmarks/run_record.py --steps 200 --device cuda

Trains as the quickstart does, with W&B offline, and times every hook of the record from inside: a difference of two
trainings would drown in their noise. Shares are those of an interval between two validations. On a GPU a hook that
waits for the device is charged with what the device still had to do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.loggers import WandbLogger

from callbacks import ContactSheet, ValidationFaces
from datamodules import SyntheticTriplets
from mgc_lightning.encoders import ResNet
from mgc_lightning.files.places import configs_folder
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.losses.report import ObjectiveReport
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.monitor import TrainingMonitor


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120, help="training steps; the first third warms up")
    parser.add_argument("--val-size", type=int, default=128)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


class Clock(L.Callback):
    """Time training steps and validations as wholes."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.validations: list[float] = []

    def on_train_batch_start(self, *arguments: object) -> None:
        """Begin a step."""
        self._begun = time.perf_counter()

    def on_train_batch_end(self, *arguments: object) -> None:
        """End a step."""
        self.steps.append(time.perf_counter() - self._begun)

    def on_validation_start(self, *arguments: object) -> None:
        """Begin a validation."""
        self._validating = time.perf_counter()

    def on_validation_end(self, *arguments: object) -> None:
        """End a validation, after the other callbacks."""
        self.validations.append(time.perf_counter() - self._validating)


def timed(owner: Any, name: str, label: str, spent: dict[str, list[float]]) -> None:
    """Have a method's seconds kept."""
    method: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return method(*arguments, **named)
        finally:
            spent[label].append(time.perf_counter() - begun)

    setattr(owner, name, call)


def main() -> None:
    """Train, and print."""
    args = parse()
    os.environ["WANDB_MODE"] = "offline"
    config = yaml.safe_load((configs_folder() / "quickstart.yaml").read_text())
    interval, every = config["trainer"]["val_check_interval"], config["trainer"]["log_every_n_steps"]
    batch_size = config["data"]["init_args"]["batch_size"]
    module = MGCModule(ResNet(18, 32), 128, image_size=96, objective=MGCObjective(LossWeights(identity=0.0)))
    folder = Path(tempfile.mkdtemp())
    logger = WandbLogger(project="cost", save_dir=folder)
    monitor, faces, sheet, clock = TrainingMonitor(), ValidationFaces(), ContactSheet(), Clock()
    spent: dict[str, list[float]] = defaultdict(list)
    for hook in ("on_before_optimizer_step", "on_train_batch_end"):
        timed(monitor, hook, "monitor", spent)
    timed(ObjectiveReport, "pair_means", "pairs", spent)
    timed(logger, "log_metrics", "log_metrics", spent)
    for hook in ("on_validation_batch_end", "on_validation_end"):
        timed(faces, hook, "faces, best and worst", spent)
        timed(sheet, hook, "contact sheet", spent)
    trainer = L.Trainer(
        accelerator="gpu" if args.device == "cuda" else "cpu",
        devices=1,
        logger=logger,
        max_steps=args.steps,
        val_check_interval=args.steps // 3,
        num_sanity_val_steps=0,
        log_every_n_steps=every,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[monitor, faces, sheet, clock],
    )
    trainer.fit(module, SyntheticTriplets(image_size=96, batch_size=batch_size, val_size=args.val_size))
    measured = args.steps - args.steps // 3
    step = sum(clock.steps[-measured:]) / measured
    # The first compiles what renders pictures.
    validation = sum(clock.validations[1:]) / len(clock.validations[1:])
    per_step = {label: sum(spent[label]) / args.steps for label in ("monitor", "pairs", "log_metrics")}
    count = len(clock.validations)
    per_validation = {
        label: sum(spent[label][len(spent[label]) // count :]) / (count - 1)
        for label in ("faces, best and worst", "contact sheet")
    }
    whole = interval * step + validation
    print(f"{args.device}, {torch.get_num_threads()} threads: step {1000 * step:.0f} ms, validation {validation:.1f} s")
    print(f"every {every} steps logged, every {interval} validated, {args.val_size} faces; an interval {whole:.0f} s")
    total = 0.0
    for label, seconds in per_step.items():
        total += interval * seconds
        print(f"{label:24s} {1000 * seconds:8.2f} ms a step         {100 * interval * seconds / whole:6.2f} %")
    for label, seconds in per_validation.items():
        total += seconds
        print(f"{label:24s} {1000 * seconds:8.0f} ms a validation   {100 * seconds / whole:6.2f} %")
    print(f"{'all':24s} {'':28s} {100 * total / whole:6.2f} %")


if __name__ == "__main__":
    main()
