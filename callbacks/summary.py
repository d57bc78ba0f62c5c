"""The last word of a run: where it began, where it ended, what the mean face scores, and where everything is."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import lightning as L
from lightning.pytorch.loggers import WandbLogger
from rich.console import Console
from rich.table import Table

from mgc_lightning.metrics.reconstruction import BASELINE
from mgc_lightning.training.module import MGCModule

ROWS = {
    "nme": "landmarks, NME %",
    "rotation": "rotation, degrees",
    "posed": "posed 3D error, mm",
    "neutral": "neutral 3D error, mm",
}


class SummaryTable(L.Callback):
    """Print a table of scores (start, end, mean face) and the paths of what other callbacks wrote.

    The start comes from the sanity check: set `trainer.num_sanity_val_steps` to -1 for the whole validation set.
    A callback that writes files lists them in its attribute `artifacts`, label to path.

    Example:
        >>> trainer = L.Trainer(logger=False, num_sanity_val_steps=-1, callbacks=[SummaryTable()])
    """

    def __init__(self) -> None:
        self.start: dict[str, float] = {}
        self.end: dict[str, float] = {}

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the first and the newest scores."""
        scores = dict(cast(MGCModule, pl_module).last_scores)
        if not self.start:
            self.start = scores
        self.end = scores

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print on rank zero."""
        if not trainer.is_global_zero or not self.end:
            return
        console = Console()
        table = Table(title=f"Unseen identities, {trainer.global_step} steps")
        table.add_column("")
        for heading in ("start", "end", "mean face", "end / mean face"):
            table.add_column(heading, justify="right")
        for name, label in ROWS.items():
            if name in self.end:
                table.add_row(label, *self._cells(name))
        console.print(table)
        if f"nme_{BASELINE}" in self.end:
            console.print(
                "Mean face: NME at the true pose; rotation of the main pose; distances of the mean shape.",
                style="dim",
            )
        for label, path in self._paths(trainer).items():
            console.print(f"{label}: {path}", soft_wrap=True, highlight=False)

    def _cells(self, name: str) -> list[str]:
        start, end, baseline = self.start.get(name), self.end[name], self.end.get(f"{name}_{BASELINE}")
        cells = ["-" if value is None else f"{value:.2f}" for value in (start, end, baseline)]
        return [*cells, "-" if baseline is None else f"{end / baseline:.3f}"]

    def _paths(self, trainer: L.Trainer) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            paths |= getattr(callback, "artifacts", {})
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if best:
            paths["best checkpoint"] = Path(best)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                run = Path(logger.experiment.dir).parent
                offline = run.name.startswith("offline")
                paths["W&B run, offline (upload: wandb sync PATH)" if offline else "W&B run"] = run
        return paths
