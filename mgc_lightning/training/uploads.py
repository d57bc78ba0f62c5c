"""What a logger does not take is told, and the training goes on: results lie in the run's folder."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger

from mgc_lightning.files.atomic import NotWrittenError, disk_trouble
from mgc_lightning.files.reading import reason

logger = logging.getLogger(__name__)
GRACE = 15.0
"""Seconds beyond `WANDB_FINISH_TIMEOUT`, in which W&B may end by itself."""
_told: set[str] = set()
_WRITING = ("log_metrics", "log_hyperparams", "save", "finalize", "after_save_checkpoint")


@contextlib.contextmanager
def optional_upload(what: str) -> Iterator[None]:
    """Turn what fails inside into a warning.

    Args:
        what: is handed over, and where it lies.

    Example:
        >>> with optional_upload("the contact sheet (contact_sheet.png)"):
        ...     raise ConnectionError("gone")
    """
    try:
        yield
    except Exception as error:  # of any logger's client
        said = f"Not uploaded: {what}. {type(error).__name__}: {reason(error)}"
        # One that comes with every validation is told once.
        logger.log(logging.DEBUG if said in _told else logging.WARNING, "%s", said)
        _told.add(said)


@contextlib.contextmanager
def optional_file() -> Iterator[None]:
    """Turn a file of the record that cannot be written into a warning: a full disk ends no training for a picture.

    Example:
        >>> with optional_file():
        ...     raise NotWrittenError("faces.csv: could not be written (No space left on device)")
    """
    try:
        yield
    except NotWrittenError as error:
        logger.warning("%s", error)


def keep_training(loggers: list[Logger]) -> None:
    """Let a logger that fails in mid-training be one warning, and no end of the training.

    Of W&B's client that is any failure; of loggers that write files by themselves, that of a disk.
    """
    for each in loggers:
        if not hasattr(each, "_keeps_training"):
            each._keeps_training = True  # type: ignore[attr-defined]
            kept = _kept if isinstance(each, WandbLogger) else _kept_on_disk
            for name in _WRITING:
                setattr(each, name, partial(kept, each, getattr(each, name)))


def _kept(owner: Any, write: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return write(*arguments, **named)
    except Exception as error:
        if not getattr(owner, "_failed", False):
            owner._failed = True
            logger.warning(
                "Weights & Biases takes no more of this run (%s: %s); the training goes on, and its files are in the "
                "run's folder",
                type(error).__name__,
                reason(error),
            )
        return None


def _kept_on_disk(owner: Any, write: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return write(*arguments, **named)
    except OSError as error:
        if disk_trouble(error) is None:
            raise
        if not getattr(owner, "_failed", False):
            owner._failed = True
            kind, place = type(owner).__name__, error.filename or owner.log_dir or owner.save_dir
            logger.warning(
                "What %s logs could not be written, and the run goes on: %s (%s)", kind, place, reason(error)
            )
        return None


def limit_last_upload(seconds: float | None = None) -> None:
    """Give W&B's service some time after the training, and then end it: it tries a broken server again for ever.

    Args:
        seconds: from now; those of `WANDB_FINISH_TIMEOUT` if not given.
    """
    service = _service()
    if service is None:
        return
    seconds = float(os.environ.get("WANDB_FINISH_TIMEOUT") or 0) if seconds is None else seconds
    if seconds <= 0:
        return

    def end() -> None:
        if service.poll() is None:
            logger.warning("Weights & Biases has not taken all of the run in time: `wandb sync PATH` uploads the rest")
            service.kill()

    # W&B waits for its service when Python ends; threads of this kind still run then.
    timer = threading.Timer(seconds + GRACE, end)
    timer.daemon = True
    timer.start()


def _service() -> Any:
    """Give the process of W&B's service, if this process has started one."""
    setup = sys.modules.get("wandb.sdk.wandb_setup")
    with contextlib.suppress(Exception):  # insides of W&B, which change: without them nothing is limited
        process = setup.singleton()._connection._proc._process  # type: ignore[union-attr]
        return process if process.poll() is None else None
    return None
