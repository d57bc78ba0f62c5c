"""A training that is a trial of `mgc sweep`: it reports at every validation, and ends where others do better."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import lightning as L

from mgc_lightning.errors import MGCError, nearest
from mgc_lightning.files.processes import end_with_parent
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.trial_link import ENDED, FOLDER, PRUNED, TrialLink, open_trial, storing


class ReportToSweep(L.Callback):
    """Report the sweep's metric after every validation; stop as at SIGTERM where the sweep says so.

    Args:
        link: to the sweep.

    Raises:
        MGCError: if the metric is not among what is logged, with the nearest that is.
    """

    def __init__(self, link: TrialLink) -> None:
        self.link = link
        self.validations = 0
        self._trial: Any = None
        if os.getppid() == link.parent:
            end_with_parent()

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Find the trial in the sweep's storage."""
        if stage == "fit" and trainer.is_global_zero:
            with storing(self.link.storage):
                self._trial = open_trial(self.link)
                self._trial.set_user_attr(FOLDER, str(run_folder(trainer)))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report; the training stops after its next step if it is to end early."""
        if self._trial is None or trainer.sanity_checking:
            return
        self.validations += 1
        score = trainer.callback_metrics.get(self.link.metric)
        if score is None:
            logged = sorted(str(name) for name in trainer.callback_metrics)
            near = nearest(self.link.metric, logged)
            hint = f" Did you mean `{near}`?" if near else ""
            raise MGCError(
                f"The sweep's metric `{self.link.metric}` is not logged by a validation; logged are "
                f"{', '.join(logged)}.{hint}"
            )
        last = trainer.max_steps > 0 and trainer.global_step >= trainer.max_steps
        with storing(self.link.storage):
            self._trial.report(float(score), self.validations)
            pruned = bool(self.link.first) and not last and self._trial.should_prune()
            if pruned:
                self._trial.set_user_attr(PRUNED, self.validations)
        if pruned:
            print(
                f"Stopped after {self.validations} validations: {self.link.metric} {float(score):.4g} is not among the "
                f"best 1 in {self.link.eta}.",
                file=sys.stderr,
                flush=True,
            )
            os.kill(os.getpid(), signal.SIGTERM)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say that it came to its end."""
        if self._trial is not None:
            with storing(self.link.storage):
                self._trial.set_user_attr(ENDED, self.validations)
