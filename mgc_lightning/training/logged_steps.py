"""Which steps are logged, and which validations are shown."""

from __future__ import annotations

import lightning as L


def logs_now(trainer: L.Trainer) -> bool:
    """Tell whether this step is one that is logged."""
    return bool(trainer.loggers) and trainer._logger_connector.should_update_logs


def due(trainer: L.Trainer, validations: int, every: int) -> bool:
    """Tell whether a validation is one of every so many, from the first on, or the last of the training.

    Args:
        trainer: that validates.
        validations: before this one.
        every: from one to the next.

    Example:
        >>> trainer = L.Trainer(logger=False, enable_checkpointing=False, max_steps=100)
        >>> [due(trainer, validations, every=3) for validations in range(5)]
        [True, False, False, True, False]
    """
    last = trainer.should_stop or trainer.global_step == trainer.max_steps
    return last or validations % every == 0
