"""What a trial of `mgc sweep` is told of its sweep, by its environment."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from mgc_lightning.errors import MGCError, require
from mgc_lightning.files.atomic import NotWrittenError

VARIABLE = "MGC_SWEEP_TRIAL"
OF_WANDB = "WANDB_SWEEP_ID"
STUDY = "sweep"
"""Name of the only study in a sweep's storage."""
_OF_DISKS = ("disk is full", "disk I/O error", "readonly database", "unable to open database file")
"""What sqlite says of them."""
ENDED, PRUNED, FOLDER = "ended", "pruned", "folder"
"""Attributes of a trial: it came to its end, it was stopped early, the folder of its run."""


@dataclass(frozen=True)
class TrialLink:
    """Lead from a trial to its sweep.

    Attributes:
        storage: address of Optuna's storage.
        trial: Optuna's id of the trial.
        metric: what is reported.
        first: validations after which it is first compared with others; 0 if it never is.
        eta: one in so many goes on.
        parent: process of the sweep, without which a trial ends.

    Example:
        >>> link = TrialLink("sqlite:///sweep.db", 4, "val/posed", 2, 3, parent=1)
        >>> json.loads(link.environment()[VARIABLE])["metric"]
        'val/posed'
    """

    storage: str
    trial: int
    metric: str
    first: int
    eta: int
    parent: int

    def environment(self) -> dict[str, str]:
        """Give the variable that hands it on."""
        return {VARIABLE: json.dumps(asdict(self))}


def trial_link() -> TrialLink | None:
    """Give the link of this process; None if it is no trial of `mgc sweep`."""
    given = os.environ.get(VARIABLE)
    return None if not given else TrialLink(**json.loads(given))


def in_sweep() -> bool:
    """Tell whether this process is a trial, of `mgc sweep` or of W&B's agent."""
    return bool(os.environ.get(VARIABLE) or os.environ.get(OF_WANDB))


@contextlib.contextmanager
def storing(address: str) -> Iterator[None]:
    """Turn what a full or read-only disk makes of writing to a sweep's storage into one message.

    Raises:
        NotWrittenError: with the file and the reason.

    Example:
        >>> with storing("sqlite:///sweep.db"):
        ...     raise RuntimeError("commit") from sqlite3.OperationalError("database or disk is full")
        Traceback (most recent call last):
        mgc_lightning.files.atomic.NotWrittenError: sweep.db: could not be written (database or disk is full); free ...
    """
    try:
        yield
    except MGCError:
        raise
    except Exception as error:
        # The storage's own error says less than sqlite's, which is behind it.
        causes: list[BaseException | None] = [error]
        while causes[-1] is not None:
            causes.append(causes[-1].__cause__ or causes[-1].__context__)
        told = [str(cause) for cause in causes if isinstance(cause, sqlite3.OperationalError)]
        why = next((text for text in told if any(words in text for words in _OF_DISKS)), None)
        if why is None:
            raise
        file = address.removeprefix("sqlite:///")
        raise NotWrittenError(f"{file}: could not be written ({why}); free some space there") from error


def open_storage(address: str) -> Any:
    """Open a sweep's storage; writers wait for each other."""
    require("optuna", "sweep")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.storages.RDBStorage(address, engine_kwargs={"connect_args": {"timeout": 120}})


def open_trial(link: TrialLink) -> Any:
    """Give Optuna's trial."""
    storage = open_storage(link.storage)
    import optuna

    pruner: Any = optuna.pruners.NopPruner()
    if link.first:
        pruner = optuna.pruners.SuccessiveHalvingPruner(link.first, link.eta)
    # The sweep has drawn the parameters already: a sampler that draws nothing by itself.
    sampler = optuna.samplers.RandomSampler()
    study = optuna.load_study(study_name=STUDY, storage=storage, sampler=sampler, pruner=pruner)
    return optuna.trial.Trial(study, link.trial)
