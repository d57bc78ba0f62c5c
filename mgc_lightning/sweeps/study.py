"""The study of a sweep: Optuna's storage, in which trials are drawn, reported, ended and redone."""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reading
from mgc_lightning.sweeps.file import Sweep
from mgc_lightning.sweeps.results import State, TrialResult
from mgc_lightning.sweeps.space import Parameter
from mgc_lightning.training.trial_link import ENDED, FOLDER, PRUNED, STUDY, open_storage, storing

CONTENT, VALUES, STATUS, KILLED, REDONE = "file", "values", "status", "killed", "redone"
"""Attributes: the sweep file of a study; a trial's values, its status, that it was killed, and what it is done for."""
_COMPARED = ("method", "metric", "parameters", "command", "program", "early_terminate")


class SweepStudy:
    """Draw the trials of a sweep and keep what comes of them.

    Args:
        sweep: the file.
        folder: with the storage, made if need be.
        seed: of the draws; a trial's draw depends on it, on its number, and on the trials before it.

    Raises:
        MissingExtraError: without Optuna.
        MGCError: if the storage is that of another file, or none.
    """

    def __init__(self, sweep: Sweep, folder: Path, seed: int = 0) -> None:
        self.sweep, self.folder, self.seed = sweep, folder, seed
        self.address = f"sqlite:///{(folder / 'sweep.db').absolute()}"
        file = folder / "sweep.db"
        # Whatever is in it is read once here: sqlite, sqlalchemy and json each say in their own way that it is damaged.
        with reading(file, "this is no storage of a sweep that can be read"), storing(self.address):
            storage = open_storage(self.address)
            import optuna

            self.optuna = optuna
            self.study = optuna.create_study(
                storage=storage, study_name=STUDY, direction=sweep.goal, load_if_exists=True
            )
            self.drawn = {name: made for name, made in sweep.parameters.items() if made.distribution != "constant"}
            self.spaces = {name: self._space(made) for name, made in self.drawn.items()}
            self._compare()
            known = self.results()
        if not known and any((folder / "trials").glob("*")):
            raise MGCError(
                f"{file}: it knows no trial, and there are some in {folder / 'trials'}: it was removed or is damaged; "
                "give another `output`, or remove that folder"
            )

    def _compare(self) -> None:
        content = {key: self.sweep.plain.get(key) for key in _COMPARED}
        stored = self.study.user_attrs.get(CONTENT)
        if stored is None:
            self.study.set_user_attr(CONTENT, content)
            return
        # As the storage gives it back.
        changed = [key for key, value in json.loads(json.dumps(content)).items() if stored.get(key) != value]
        if changed:
            keys = ", ".join(f"`{key}`" for key in changed)
            raise MGCError(
                f"{self.folder}: the sweep there was begun with other {keys}; give another `output`, or remove it"
            )

    def _space(self, made: Parameter) -> Any:
        spaces = self.optuna.distributions
        if made.choices:
            return spaces.CategoricalDistribution([json.dumps(choice) for choice in made.choices])
        if made.whole:
            return spaces.IntDistribution(int(made.low), int(made.high))
        return spaces.FloatDistribution(made.low, made.high, log=made.log)

    def combinations(self) -> int | None:
        """Count the combinations of a grid; None for other methods."""
        if self.sweep.method != "grid":
            return None
        return math.prod(len(made.grid()) for made in self.drawn.values())

    def redo_killed(self) -> int:
        """Have trials that a killed sweep left unfinished done again, first; give their number."""
        running = self.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.RUNNING,))
        for trial in running:
            self.kill(trial)
        return len(running)

    def kill(self, trial: Any) -> None:
        """End a trial that could not come to its end, and queue it again with the same parameters."""
        attributes = {REDONE: trial.number}
        self.study._storage.set_trial_user_attr(trial._trial_id, KILLED, True)
        self.study.enqueue_trial(trial.params, user_attrs=attributes)
        self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)

    def counted(self) -> int:
        """Count the trials that are running or have come to an end of their own."""
        waiting = self.optuna.trial.TrialState.WAITING
        trials = self.study.get_trials(deepcopy=False)
        return sum(trial.state != waiting and KILLED not in trial.user_attrs for trial in trials)

    def draw(self) -> tuple[Any, dict[str, Any]] | None:
        """Begin a trial: Optuna's, and the values of its parameters. None when a grid is through."""
        states = self.optuna.trial.TrialState
        trials = self.study.get_trials(deepcopy=False)
        if self.sweep.method == "grid" and not any(trial.state == states.WAITING for trial in trials):
            begun = [trial.params for trial in trials]
            names, axes = list(self.drawn), [made.grid() for made in self.drawn.values()]
            left = (dict(zip(names, point, strict=True)) for point in itertools.product(*axes))
            point = next((point for point in left if point not in begun), None)
            if point is None:
                return None
            self.study.enqueue_trial(point)
        # A sampler of its own for each: one that goes on would repeat itself when the sweep is resumed.
        seed = (self.seed + 7919 * len(trials)) % 2**32
        samplers = self.optuna.samplers
        bayes = self.sweep.method == "bayes"
        self.study.sampler = samplers.TPESampler(seed=seed) if bayes else samplers.RandomSampler(seed=seed)
        trial = self.study.ask(self.spaces)
        values = {
            name: made.choices[0] if made.distribution == "constant" else made.to_value(trial.params[name])
            for name, made in self.sweep.parameters.items()
        }
        trial.set_user_attr(VALUES, values)
        return trial, values

    def end(self, number: int, status: int) -> TrialResult:
        """Note how a trial's process ended: complete, pruned, or failed."""
        states = self.optuna.trial.TrialState
        trial = self.study.get_trials(deepcopy=False)[number]
        self.study._storage.set_trial_user_attr(trial._trial_id, STATUS, status)
        score = _last(trial)
        if status == 0 and ENDED in trial.user_attrs and score is not None and math.isfinite(score):
            self.study.tell(number, score)
        elif status == 0 and PRUNED in trial.user_attrs:
            self.study.tell(number, state=states.PRUNED)
        else:
            self.study.tell(number, state=states.FAIL)
        return self.results()[number]

    def results(self) -> list[TrialResult]:
        """Give all trials that were begun."""
        waiting = self.optuna.trial.TrialState.WAITING
        trials = self.study.get_trials(deepcopy=False)
        return [self._result(trial) for trial in trials if trial.state != waiting]

    def _result(self, trial: Any) -> TrialResult:
        run = trial.user_attrs.get(FOLDER)
        return TrialResult(
            number=trial.number,
            state=_state(trial),
            values=trial.user_attrs.get(VALUES, {}),
            score=_last(trial),
            validations=len(trial.intermediate_values),
            seconds=0.0 if trial.duration is None else trial.duration.total_seconds(),
            folder=self.trial_folder(trial.number),
            run=None if run is None else Path(run),
            status=trial.user_attrs.get(STATUS),
            draws=dict(trial.params),
        )

    def trial_folder(self, number: int) -> Path:
        """Give the folder of a trial."""
        return self.folder / "trials" / f"{number:04d}"

    def importances(self) -> dict[str, float]:
        """Give each drawn parameter's share in the differences between complete trials, the greatest first.

        Empty with fewer than four complete trials, or where all score alike. PED-ANOVA (Watanabe et al., IJCAI 2023).
        """
        complete = self.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.COMPLETE,))
        if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
            return {}
        with warnings.catch_warnings():  # it was experimental before Optuna 5
            warnings.simplefilter("ignore")
            evaluator = self.optuna.importance.PedAnovaImportanceEvaluator()
        found: Mapping[str, float] = self.optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return dict(found) if all(math.isfinite(share) for share in found.values()) else {}

    def close(self) -> None:
        """Let go of the storage's file."""
        self.study._storage.remove_session()


def _last(trial: Any) -> float | None:
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None


def _state(trial: Any) -> State:
    if KILLED in trial.user_attrs:
        return "killed"
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    return names.get(trial.state.name, "running")
