"""Optimiser and scheduler of a resumed run: the checkpoint's state, at the config's rates where these differ."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mgc_lightning.errors import MGCError

PARTS = ("optimizer", "scheduler")


def differs(stored: dict[str, Any], current: dict[str, Any]) -> bool:
    """Tell whether a config has another optimiser or scheduler than a checkpoint, both as resolved hyperparameters.

    Example:
        >>> slow, fast = ({"optimizer": {"init_args": {"lr": rate}}} for rate in (1e-5, 1e-3))
        >>> differs(slow, fast), differs(slow, slow), differs({}, fast)
        (True, False, False)
    """
    return bool(stored) and bool(current) and any(stored.get(part) != current.get(part) for part in PARTS)


def check_same_optimizer(stored: dict[str, Any], current: dict[str, Any]) -> None:
    """Make sure that a checkpoint's optimiser can go on.

    Raises:
        MGCError: if the config's is of another class, whose state means something else.
    """
    theirs, ours = ((part.get("optimizer") or {}).get("class_path") for part in (stored, current))
    if theirs and ours and theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
        raise MGCError(
            f"The checkpoint was trained with {theirs} and the config has {ours}, which cannot go on with its state: "
            "keep the optimiser, or start a new run from the weights alone by `model.init` instead of "
            "`ckpt_path`."
        )


def take_config_rates(
    checkpoint: dict[str, Any], optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None
) -> None:
    """Put the config's rates and its schedule, at the checkpoint's step, into the state that will be restored.

    Moments and step counts of the optimiser stay. The schedule is the one that the config would have followed up to
    this step.

    Args:
        checkpoint: of Lightning, changed in place.
        optimizer: makes the config's optimiser.
        scheduler: makes its scheduler, stepped once a training step.
    """
    fresh = optimizer([nn.Parameter(torch.zeros(1))])
    schedule = None
    if scheduler is not None:
        schedule = scheduler(fresh)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "scheduler before optimizer": no step is trained here
            # One that waits for a plateau begins to wait anew: what it would have seen is not known.
            for _ in range(0 if isinstance(schedule, ReduceLROnPlateau) else _steps(checkpoint)):
                schedule.step()
    (group,) = fresh.param_groups
    settings = {key: value for key, value in group.items() if key != "params"}
    for state in checkpoint["optimizer_states"]:
        for old in state["param_groups"]:
            old.pop("initial_lr", None)  # of a schedule that may be no more
            old |= settings
    checkpoint["lr_schedulers"] = [] if schedule is None else [schedule.state_dict()]


def _steps(checkpoint: dict[str, Any]) -> int:
    stored = checkpoint.get("lr_schedulers") or []
    return int(stored[0]["last_epoch"] if stored and "last_epoch" in stored[0] else checkpoint["global_step"])
