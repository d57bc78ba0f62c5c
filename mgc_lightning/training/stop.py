"""Signals end a training with a checkpoint, a line that says how to go on, and a status that says what happened."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loops.evaluation_loop import RestartStage
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException

from mgc_lightning.training.checkpoint_io import last_failure
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.trial_link import in_sweep

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class StopAtSignal(L.Callback):
    """End `fit` at SIGINT, SIGTERM and SIGUSR1: after the step or the batch of validation that is running.

    Where there are several processes, a signal to one stops all after the same step; a validation is finished first,
    since its processes do not meet. A second SIGINT ends the program at once. Under SLURM with requeueing, SIGTERM
    and the requeue signal are Lightning's.

    Attributes:
        received: the signal, on every rank; 0 if there was none.
        checkpoint: what was written then; None if nothing was trained yet, or the write failed.

    Example:
        >>> trainer = L.Trainer(logger=False, accelerator="cpu", callbacks=[StopAtSignal()])
    """

    def __init__(self) -> None:
        self.received = 0
        self.checkpoint: Path | None = None
        self._trainer: L.Trainer | None = None
        self._validation_due = False
        self._validated = 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Keep the trainer, which says whether a validation is due."""
        self._trainer = trainer

    def on_sanity_check_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen from now on."""
        self._listen(trainer)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen from now on; have an interrupted validation done again as a whole, which Lightning would skip."""
        self._listen(trainer)
        if self._validation_due:
            self._validation_due = False
            validation = trainer.fit_loop.epoch_loop.val_loop
            validation.batch_progress.reset()
            validation._restart_stage = RestartStage.RESTARTED_MID_EVALUATION
            validation.restarting = False

    def _listen(self, trainer: L.Trainer) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        environment = trainer._accelerator_connector.cluster_environment
        theirs: set[int] = set()
        if isinstance(environment, SLURMEnvironment) and environment.auto_requeue:
            theirs = {signal.SIGTERM, int(environment.requeue_signal or signal.SIGUSR1)}
        # Lightning's connector gives back at the end what it found at the start.
        for number in SIGNALS:
            if number not in theirs:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number

    def on_train_batch_end(self, trainer: L.Trainer, *arguments: object) -> None:
        """Tell all ranks of a signal to any, and have Lightning's loop end after this step."""
        if trainer.world_size > 1:
            told = torch.tensor(self.received, device=trainer.strategy.root_device)
            self.received = int(trainer.strategy.reduce(told, reduce_op="max"))
        _end(trainer, self.received)

    def on_validation_batch_end(self, trainer: L.Trainer, *arguments: object) -> None:
        """Have Lightning's loop end after this batch; a validation after the last step is finished instead."""
        if trainer.world_size == 1 and not trainer.fit_loop.done:
            _end(trainer, self.received)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note after which batch it was; checkpoints that it leads to are written later."""
        if not trainer.sanity_checking:
            self._validated = trainer.fit_loop.total_batch_idx

    def state_dict(self) -> dict[str, bool]:
        """Tell a checkpoint whether its validation was interrupted, or is only due: Lightning would go on behind it."""
        due = self._validation_due
        if self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING and self._trainer.training:
            loop = self._trainer.fit_loop
            fetcher = loop._data_fetcher
            new = self._validated != loop.total_batch_idx
            due = due or (fetcher is not None and new and loop.epoch_loop._should_check_val_fx(fetcher))
        return {"validation_due": due}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Count a batch as done whose checkpoint was written at its end, before the validation that is due."""
        state = checkpoint.get("callbacks", {}).get(self.state_key) or {}
        loops = checkpoint.get("loops", {}).get("fit_loop", {})
        progress = loops.get("epoch_loop.batch_progress")
        if state.get("validation_due") and progress:
            for part in (progress["total"], progress["current"]):
                part["completed"] = part["processed"]

    def load_state_dict(self, state_dict: dict[str, bool]) -> None:
        """Take over what a checkpoint says."""
        self._validation_due = bool(state_dict.get("validation_due"))

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Write the checkpoint, between two steps, where the loop has ended for a signal."""
        if not (self.received and isinstance(exception, SIGTERMException)):
            return
        name = signal.Signals(self.received).name
        if trainer.sanity_checking or not trainer.global_step:
            _say(trainer, f"{name}: stopped before the first step; there is nothing to go on from.")
            return
        path = last_path(trainer)
        self._validation_due = bool(trainer.validating)
        trainer.save_checkpoint(path)
        if (failure := last_failure(trainer)) is not None:
            _say(trainer, f"{name}: stopped after step {trainer.global_step}. {failure}")
            return
        self.checkpoint = path
        _say(trainer, f"{name}: stopped after step {trainer.global_step}. Go on with: {how_to_go_on(path)}")


def stop_status(trainer: L.Trainer) -> int:
    """Give the exit status of a training that a signal ended: 128 and its number.

    A sweep's trial that is stopped ends with 0, or W&B's agent would count it as failed; so do the processes that
    Lightning started beside the first, or it would kill the first for their status.
    """
    callbacks = getattr(trainer, "callbacks", [])
    received = max([callback.received for callback in callbacks if isinstance(callback, StopAtSignal)], default=0)
    beside_the_first = trainer.local_rank > 0 and "TORCHELASTIC_RUN_ID" not in os.environ
    if in_sweep() or beside_the_first:
        return 0
    return 128 + (received or signal.SIGTERM)


def last_path(trainer: L.Trainer) -> Path:
    """Give the place of the last checkpoint, and let the first ModelCheckpoint know it for its own."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath:
            path = Path(callback.dirpath) / f"{callback.CHECKPOINT_NAME_LAST}{callback.FILE_EXTENSION}"
            callback.last_model_path = str(path)
            return path
    folder = trainer.strategy.broadcast(str(run_folder(trainer)))
    return Path(folder) / "checkpoints" / "last.ckpt"


def how_to_go_on(path: Path, arguments: list[str] | None = None) -> str:
    """Give the command line that continues from a checkpoint.

    Example:
        >>> how_to_go_on(Path("runs/last.ckpt"), ["lightning", "fit", "--ckpt_path=old.ckpt", "--config", "quickstart"])
        'lightning fit --config quickstart --ckpt_path runs/last.ckpt'
    """
    program, *rest = sys.argv if arguments is None else arguments
    kept: list[str] = []
    skip = False
    for argument in rest:
        if not skip and argument.partition("=")[0] != "--ckpt_path":
            kept.append(argument)
        skip = argument == "--ckpt_path"
    start = f"{sys.executable} -m mgc_lightning.cli" if program.endswith(".py") else os.path.basename(program)
    return f"{start} {shlex.join([*kept, '--ckpt_path', str(path)])}"


def _end(trainer: L.Trainer, received: int) -> None:
    if received:
        trainer._signal_connector.received_sigterm = True


def _say(trainer: L.Trainer, line: str) -> None:
    if trainer.is_global_zero:
        print(line, file=sys.stderr, flush=True)
