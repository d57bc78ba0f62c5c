"""What a sweep found: its trials in a table, and the best one's config."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.sweeps.file import Goal, Sweep
from mgc_lightning.training.config_files import read_config

if TYPE_CHECKING:
    from rich.table import Table

State = Literal["complete", "pruned", "failed", "killed", "running"]
ROOT = "runs"
"""Where the run of `best.yaml` goes: the place of the shipped configs."""


@dataclass(frozen=True)
class TrialResult:
    """Hold what came of one trial.

    Attributes:
        number: from 0.
        state: complete; pruned, where others did better; failed by itself; killed with its sweep, and redone.
        values: of the parameters.
        score: the metric at its last validation; None if there was none.
        validations: how many.
        seconds: that it took.
        folder: with its log and its run.
        run: folder of its run; None if it made none.
        status: of its process; None where it never ended by itself.
        draws: of Optuna, by parameters.
    """

    number: int
    state: State
    values: dict[str, Any]
    score: float | None
    validations: int
    seconds: float
    folder: Path
    run: Path | None = None
    status: int | None = None
    draws: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """File of what it printed."""
        return self.folder / "log.txt"


@dataclass(frozen=True)
class SweepResult:
    """Hold what came of a sweep.

    Attributes:
        sweep: the file.
        trials: in the order of their numbers.
        importances: share of each parameter in the differences between complete trials; empty where they are too few.
        files: label to path of what was written.
    """

    sweep: Sweep
    trials: list[TrialResult]
    importances: dict[str, float] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def best(self) -> TrialResult | None:
        """The best of the complete trials."""
        return best_of(self.trials, self.sweep.goal)

    def count(self, state: State) -> int:
        """Count the trials of a state."""
        return sum(trial.state == state for trial in self.trials)


def best_of(trials: Sequence[TrialResult], goal: Goal) -> TrialResult | None:
    """Give the best complete trial, None if none is.

    Example:
        >>> trials = [TrialResult(n, "complete", {}, 2.0 - n, 1, 1.0, Path()) for n in range(2)]
        >>> best_of(trials, "minimize").number
        1
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
    sign = 1.0 if goal == "minimize" else -1.0
    return min(complete, key=lambda trial: sign * (trial.score or 0.0), default=None)


def ranked(trials: Sequence[TrialResult], goal: Goal) -> list[TrialResult]:
    """Order trials: complete ones from the best on, then pruned ones, the longest first, then the others."""
    sign = 1.0 if goal == "minimize" else -1.0
    order = {"complete": 0, "pruned": 1, "running": 2, "failed": 3, "killed": 4}

    def place(trial: TrialResult) -> tuple[float, ...]:
        score = float("inf") if trial.score is None else sign * trial.score
        longest = -trial.validations if trial.state == "pruned" else 0
        return order[trial.state], longest, score, trial.number

    return sorted(trials, key=place)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Give names the fewest last words that tell them apart.

    Example:
        >>> short_names(["model.optimizer.init_args.lr", "model.objective.weights.pixel", "data.init_args.pixel"])
        {'model.optimizer.init_args.lr': 'lr', 'model.objective.weights.pixel': 'weights.pixel', \
'data.init_args.pixel': 'data.pixel'}
    """
    words = {name: [word for word in name.split(".") if word != "init_args"] for name in names}
    short = {}
    for name, own in words.items():
        for length in range(1, len(own) + 1):
            if sum(other[-length:] == own[-length:] for other in words.values()) == 1:
                break
        # Classes and weights say nothing by their last word alone.
        length = max(length, 2) if own[-1] in ("class_path", "weight", "loss") else length
        short[name] = ".".join(own[-length:])
    return short


def shown(value: Any) -> str:
    """Give a value in few letters.

    Example:
        >>> shown(0.00123456), shown("torch.optim.AdamW"), shown({"class_path": "mine.Net", "init_args": {"depth": 18}})
        ('0.00123', 'AdamW', 'Net depth=18')
    """
    if isinstance(value, Mapping) and "class_path" in value:
        arguments = " ".join(f"{key}={shown(inner)}" for key, inner in (value.get("init_args") or {}).items())
        return f"{shown(value['class_path'])} {arguments}".strip()
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str) and value.count(".") and "/" not in value:
        return value.rsplit(".", 1)[1]
    return str(value)


def results_table(result: SweepResult, most: int = 20) -> Table:
    """Make a table for the terminal: the best first.

    Args:
        result: of a sweep.
        most: trials; the file of trials has all.
    """
    from rich.table import Table

    names = short_names(list(result.sweep.parameters))
    left_out = max(0, len(result.trials) - most)
    caption = f"{left_out} more in trials.csv" if left_out else None
    table = Table(title=f"{result.sweep.path.stem}: {len(result.trials)} trials", caption=caption)
    for heading in ("trial", "state", result.sweep.metric, "validations", "s"):
        table.add_column(heading, justify="left" if heading == "state" else "right", overflow="fold")
    for name in names.values():
        table.add_column(name, justify="right", overflow="fold")
    for trial in ranked(result.trials, result.sweep.goal)[:most]:
        best = result.best is not None and trial.number == result.best.number
        row = [
            str(trial.number),
            trial.state,
            "-" if trial.score is None else f"{trial.score:.4g}",
            str(trial.validations),
            f"{trial.seconds:.0f}",
            *(shown(trial.values.get(name, "-")) for name in names),
        ]
        table.add_row(*row, style="bold" if best else None if trial.state == "complete" else "dim")
    return table


def write_trials(path: str | Path, result: SweepResult) -> Path:
    """Write all trials as CSV, whole values under whole names."""
    names = list(result.sweep.parameters)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", result.sweep.metric, "validations", "seconds", "status", "folder", *names])
        for trial in result.trials:
            own = [trial.number, trial.state, trial.score, trial.validations, round(trial.seconds, 1), trial.status]
            writer.writerow([*own, trial.folder, *(trial.values.get(name) for name in names)])
    return Path(path)


def write_best(path: str | Path, sweep: Sweep, trial: TrialResult) -> Path:
    """Write the config of a trial, whole, without what places it in the sweep's folder.

    Raises:
        MGCError: if the trial has left no config.
    """
    found = trial.run / "config.yaml" if trial.run else None
    if found is None or not found.is_file():
        raise MGCError(f"{trial.folder}: the config of trial {trial.number} is not there; was its folder removed?")
    config = _elsewhere(read_config(found), trial.folder)
    lines = [
        f"# The best of {sweep.path.name}: trial {trial.number}, {sweep.metric} {trial.score:.6g}.",
        *(f"#   {name}: {value}" for name, value in trial.values.items()),
        f"#   lightning fit --config {path}",
    ]
    with atomic_path(path) as temporary:
        text = yaml.safe_dump(config, sort_keys=False)
        temporary.write_text("\n".join(lines) + "\n" + text, encoding="utf-8")
    return Path(path)


def _elsewhere(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _elsewhere(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [_elsewhere(inner, folder) for inner in value]
    if isinstance(value, str) and (value == str(folder) or value.startswith(f"{folder}/")):
        return ROOT + value[len(str(folder)) :]
    return value
