"""What a logger does not take is told, and the training goes on: results lie in the run's folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger

from mgc_lightning.files.reading import reason

logger = logging.getLogger(__name__)
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


def keep_training(loggers: list[Logger]) -> None:
    """Let a W&B client that fails in mid-training be one warning, and no end of the training."""
    for each in loggers:
        if isinstance(each, WandbLogger) and not hasattr(each, "_keeps_training"):
            each._keeps_training = True  # type: ignore[attr-defined]
            for name in _WRITING:
                setattr(each, name, partial(_kept, each, getattr(each, name)))


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
