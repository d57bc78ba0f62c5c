"""Which steps are logged."""

from __future__ import annotations

import lightning as L


def logs_now(trainer: L.Trainer) -> bool:
    """Tell whether this step is one that is logged."""
    return bool(trainer.loggers) and trainer._logger_connector.should_update_logs
