"""The AFLW2000-3D score of a test run."""

from __future__ import annotations

from typing import Any

import lightning as L
from rich.console import Console
from rich.table import Table

from datamodules.aflw2000 import AFLW2000DataModule
from mgc_lightning.metrics.nme_by_yaw import NormalizedMeanErrorByYaw
from mgc_lightning.photographs.crop import invert_similarity, transform_points2d
from mgc_lightning.training.module import MGCModule


class AFLW2000Score(L.Callback):
    """Score `AFLW2000DataModule`'s photographs: NME of 68 points by yaw, in px of the photographs.

    Example:
        >>> trainer = L.Trainer(logger=False, callbacks=[AFLW2000Score()])
    """

    def __init__(self) -> None:
        self.metric = NormalizedMeanErrorByYaw()
        self.missed = 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Cut crops of the size that the network takes."""
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, AFLW2000DataModule) and isinstance(pl_module, MGCModule):
            data.image_size = pl_module.network.image_size

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start anew."""
        self.metric.reset()
        self.metric.to(pl_module.device)
        self.missed = 0

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Predict a batch and add its errors."""
        if getattr(batch, "crop_from_image", None) is None:
            return
        _, _, landmarks = pl_module(batch.images)
        predicted = transform_points2d(invert_similarity(batch.crop_from_image), landmarks)
        self.metric.update(predicted, batch.landmarks, batch.yaw)
        self.missed += int((~batch.found).sum())

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log and print the scores."""
        if not self.metric.update_called:
            return
        scores = {name: float(value) for name, value in self.metric.compute().items()}
        pl_module.log_dict({f"aflw2000/nme_{name}": value for name, value in scores.items()}, rank_zero_only=False)
        if not trainer.is_global_zero:
            return
        Console().print(f"AFLW2000-3D, NME of 68 points, {int(self.metric.count.sum())} photographs")
        table = Table()
        for column in ("|yaw|", "NME %"):
            table.add_column(column, justify="right")
        for name, value in scores.items():
            table.add_row(name, f"{value:.2f}")
        Console().print(table)
        if self.missed:
            Console().print(f"{self.missed} faces were not detected and were aligned by their annotation.")
