"""ModelCheckpoint that keeps its last good checkpoint where the next one cannot be written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from mgc_lightning.files.atomic import NotWrittenError
from mgc_lightning.training.checkpoint_io import last_failure

logger = logging.getLogger(__name__)

_STATE = (
    "best_model_path",
    "best_model_score",
    "current_score",
    "kth_best_model_path",
    "kth_value",
    "last_model_path",
    "_last_checkpoint_saved",
    "_last_global_step_saved",
)


class KeepLastGood(L.Callback):
    """Let every ModelCheckpoint of a trainer take a failed write for none: it warns, forgets it, and goes on.

    Lightning notes a new best checkpoint, writes it and removes the one before. A write that fails would leave the
    run with a best checkpoint that is not there, and without the one that was.

    Example:
        >>> trainer = L.Trainer(logger=False, accelerator="cpu", callbacks=[KeepLastGood()])
    """

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Wrap what the trainer's ModelCheckpoints write with."""
        for callback in trainer.checkpoint_callbacks:
            if stage == "fit" and isinstance(callback, ModelCheckpoint) and not hasattr(callback, "_keeps_last_good"):
                callback._keeps_last_good = True  # type: ignore[attr-defined]
                for name in ("_save_topk_checkpoint", "_save_last_checkpoint"):
                    setattr(callback, name, partial(_kept, callback, getattr(callback, name)))
                callback._save_checkpoint = partial(_checked, callback._save_checkpoint)  # type: ignore[method-assign]


def _checked(save: Callable[..., None], trainer: L.Trainer, filepath: str) -> None:
    save(trainer, filepath)
    if (failure := last_failure(trainer)) is not None:
        raise NotWrittenError(failure)


def _kept(callback: ModelCheckpoint, save: Callable[..., None], trainer: L.Trainer, candidates: Any) -> None:
    if trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning writes the last one even so
        return
    before = {name: getattr(callback, name) for name in _STATE}
    models = dict(callback.best_k_models)
    try:
        save(trainer, candidates)
    except NotWrittenError:
        callback.best_k_models = models
        for name, value in before.items():
            setattr(callback, name, value)
        if trainer.is_global_zero and (kept := callback.last_model_path or callback.best_model_path):
            logger.warning("The last good checkpoint stays: %s", kept)
