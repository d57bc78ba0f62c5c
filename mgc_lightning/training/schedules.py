"""Schedules of the learning rate as Lightning takes them: stepped by training steps, or by what validations show."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mgc_lightning.errors import MGCError

_NEVER = 2**62


def schedule_config(scheduler: Any) -> dict[str, Any]:
    """Describe a scheduler to Lightning.

    One that waits for a plateau looks at its score once a validation, which `step_plateaus` does: Lightning steps it by
    the clock of batches or epochs, where it would see one validation several times, or none.

    Raises:
        MGCError: if it waits for a plateau of nothing in particular.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> schedule_config(torch.optim.lr_scheduler.ConstantLR(optimizer))["interval"]
        'step'
    """
    if not isinstance(scheduler, ReduceLROnPlateau):
        return {"scheduler": scheduler, "interval": "step"}
    monitor = getattr(scheduler, "monitor", None)
    if not monitor:
        raise MGCError(
            "`scheduler`: ReduceLROnPlateau has to be told what it looks at: take `class_path: "
            "lightning.pytorch.cli.ReduceLROnPlateau` with `monitor: val/nme`, or another score"
        )
    return {"scheduler": scheduler, "interval": "step", "frequency": _NEVER, "monitor": monitor}


def step_plateaus(trainer: Trainer) -> None:
    """Let schedulers that wait for a plateau look at the scores of the validation that has ended.

    Raises:
        MGCError: if the score is none that is logged.
    """
    if trainer.sanity_checking or trainer.state.fn != "fit":
        return
    for config in trainer.lr_scheduler_configs:
        if not config.reduce_on_plateau:
            continue
        score = trainer.callback_metrics.get(config.monitor or "")
        if score is None:
            logged = ", ".join(sorted(trainer.callback_metrics))
            raise MGCError(f"`scheduler` looks at `{config.monitor}`, which is not logged; there are {logged}")
        config.scheduler.step(score)  # type: ignore[arg-type]
