"""How far a training is: a bar of all its steps at a terminal, a line a validation elsewhere."""

from __future__ import annotations

import logging
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from rich import get_console

_log = logging.getLogger(__name__)
_WORDS = {"loss": "loss", "nme": "NME", "rotation": "rotation", "posed": "posed", "neutral": "neutral"}
_UNITS = {"nme": " %", "rotation": " deg", "posed": " mm", "neutral": " mm"}


class TrainingProgress(RichProgressBar):
    """Show a bar of the steps of the training; in a pipe or a file, log a line after each validation.

    Lightning's bars count the batches of an epoch, which say nothing where `max_steps` ends a training.

    Example:
        >>> trainer = L.Trainer(logger=False, callbacks=[TrainingProgress()])
    """

    def __init__(self, refresh_rate: int = 1, leave: bool = False) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=leave)
        self._terminal = True
        self._began = (0.0, 0)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Look where the output goes."""
        super().setup(trainer, pl_module, stage)
        console = get_console()
        self._terminal = console.is_terminal or console.is_jupyter
        if not self._terminal:
            self.disable()

    def enable(self) -> None:
        """Show the bar again, where there was one."""
        if self._terminal:
            super().enable()

    @property
    def total_train_batches(self) -> int | float:
        """Steps of the training where their number ends it, else batches of the epoch."""
        return self.trainer.max_steps if self._by_steps else self.trainer.num_training_batches

    @property
    def _by_steps(self) -> bool:
        return self.trainer.max_steps > 0 and (self.trainer.max_epochs or -1) < 0

    def _get_train_description(self, current_epoch: int) -> str:
        if self._by_steps:
            return f"{'Step':{len(self.validation_description)}}"
        return super()._get_train_description(current_epoch)

    def _update(self, progress_bar_id: Any, current: int, *arguments: Any, **options: Any) -> None:
        if not self._by_steps or progress_bar_id is None or progress_bar_id != self.train_progress_bar_id:
            super()._update(progress_bar_id, current, *arguments, **options)
        elif self.progress is not None and self.is_enabled:
            self.progress.update(progress_bar_id, completed=self.trainer.global_step)
            self.refresh()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on with the bar."""
        super().on_train_epoch_start(trainer, pl_module)
        self._update(self.train_progress_bar_id, 0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._began = (time.monotonic(), trainer.global_step)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log a line where there is no bar."""
        super().on_validation_end(trainer, pl_module)
        training = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if training and not self._terminal and trainer.is_global_zero:
            _log.info("%s", self.line(trainer))

    def line(self, trainer: L.Trainer) -> str:
        """Say where the training is: step, scores, steps a second, time left."""
        step, total = trainer.global_step, trainer.estimated_stepping_batches
        scores = [
            f"{word} {float(trainer.callback_metrics[f'val/{name}']):.3g}{_UNITS.get(name, '')}"
            for name, word in _WORDS.items()
            if f"val/{name}" in trainer.callback_metrics
        ]
        seconds, before = time.monotonic() - self._began[0], self._began[1]
        rate = (step - before) / seconds if seconds > 0 and step > before else 0.0
        known = 0 < total < float("inf")
        parts = [f"step {step}/{int(total)}" if known else f"step {step}", *scores]
        if rate:
            parts.append(f"{rate:.3g} steps/s" if rate >= 1 else f"{1 / rate:.3g} s/step")
            if known and step < total:
                parts.append(f"{duration((total - step) / rate)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Write a time.

    Example:
        >>> duration(75), duration(3 * 3600 + 60)
        ('1:15', '3:01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
