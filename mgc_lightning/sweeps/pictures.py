"""Pictures of a sweep: trials as lines over the parameters' axes, and what the parameters matter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.sweeps.results import SweepResult, ranked, short_names, shown

SPREAD = 0.08
"""Share of an axis that the trials of one choice take."""
INK, PALE, ACCENT = "#22262b", "#c9ced6", "#d4481c"


def draw_parallel(path: str | Path, result: SweepResult) -> Path:
    """Draw every trial as a line over the axes of its parameters, most important first, to its score at the right.

    Complete trials are coloured by score, the best one stands out; pruned ones are pale, and end before the score.
    """
    from matplotlib import colormaps
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    names = _order(result)
    short = short_names(names)
    trials = [trial for trial in ranked(result.trials, result.sweep.goal) if trial.score is not None and trial.values]
    complete = [trial for trial in trials if trial.state == "complete"]
    axes_of = [_Axis([t.values.get(name) for t in trials], result.sweep.parameters[name].log_values) for name in names]
    scores = _Axis([trial.score for trial in complete], _wide([t.score for t in complete]))
    # The end of the better scores is up.
    scores.flipped = result.sweep.goal == "minimize"
    figure, axes = _figure(max(6.4, 1.7 * (len(names) + 1) + 1.2), 4.6)
    columns = [*axes_of, scores]
    places = {trial.number: scores.place(trial.score) for trial in complete}
    low, high = min(places.values(), default=0.0), max(places.values(), default=1.0)
    for trial in reversed(trials):
        # Trials of one choice lie side by side, the better ones above.
        aside = SPREAD * (places[trial.number] - 0.5) if trial.number in places else 0.0
        heights = [
            axis.place(trial.values.get(name)) + (aside if axis.labels else 0.0)
            for axis, name in zip(axes_of, names, strict=True)
        ]
        best = result.best is not None and trial.number == result.best.number
        done = trial.state == "complete"
        if done:  # the score of a trial that was stopped early does not compare
            heights.append(scores.place(trial.score))
        share = (places[trial.number] - low) / (high - low) if done and high > low else 1.0
        color = ACCENT if best else colormaps["viridis_r"](0.08 + 0.84 * share) if done else PALE
        axes.add_patch(
            PathPatch(
                Curve(*_curve(heights)),
                fill=False,
                edgecolor=color,
                linewidth=2.6 if best else 1.3 if done else 0.9,
                alpha=1.0 if best else 0.8 if done else 0.9,
                zorder=4 if best else 3 if done else 2,
                capstyle="round",
            )
        )
    for column, axis in enumerate(columns):
        axes.plot([column, column], [0, 1], color=INK, linewidth=1.0, zorder=5)
        right = column == len(columns) - 1
        for place, text in axis.ticks():
            axes.plot([column - 0.02, column + 0.02], [place, place], color=INK, linewidth=0.8, zorder=5)
            axes.text(
                column + (0.05 if right else -0.05),
                place,
                text,
                ha="left" if right else "right",
                va="center",
                fontsize=8,
                color=INK,
                zorder=6,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )
        title = result.sweep.metric if right else short[names[column]]
        axes.text(column, 1.07, title, ha="center", va="bottom", fontsize=9, weight="bold", color=INK, rotation=0)
    axes.set_xlim(-0.65, len(columns) - 0.35)
    axes.set_ylim(-0.06, 1.2)
    axes.axis("off")
    figure.suptitle(_title(result), fontsize=10, color=INK, x=0.02, ha="left")
    return _saved(path, figure)


def draw_importances(path: str | Path, result: SweepResult) -> Path:
    """Draw the share of every parameter in the differences between complete trials, as bars."""
    found = dict(sorted(result.importances.items(), key=lambda item: item[1]))
    short = short_names(list(result.sweep.parameters))
    figure, axes = _figure(6.4, 1.1 + 0.38 * len(found))
    bars = axes.barh([short[name] for name in found], [100 * share for share in found.values()], color="#3b6fa0")
    axes.bar_label(bars, [f"{100 * share:.0f} %" for share in found.values()], padding=4, fontsize=9, color=INK)
    axes.set_xlim(0, max(1.0, 115 * max(found.values(), default=0.0)))
    axes.set_xlabel(f"share in the differences of {result.sweep.metric}, %", fontsize=9, color=INK)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.suptitle(f"{result.count('complete')} complete trials, PED-ANOVA", fontsize=10, color=INK, x=0.02, ha="left")
    return _saved(path, figure)


class _Axis:
    """Give values of a parameter their places between 0 and 1."""

    def __init__(self, values: Sequence[Any], log: bool) -> None:
        self.flipped = False
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        distinct = sorted({shown(value) for value in values}) if not numbers else []
        if numbers and len(set(values)) <= 4:
            distinct = [shown(value) for value in sorted(set(values))]
        self.labels = distinct
        self.log = log and not distinct and min(values) > 0
        moved = [self._moved(value) for value in values] if not distinct else [0.0, 1.0]
        self.low, self.high = min(moved), max(moved)
        if self.high == self.low:
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def _moved(self, value: float) -> float:
        return math.log10(value) if self.log else float(value)

    def place(self, value: Any) -> float:
        if self.labels:
            return self.place_of_label(self.labels.index(shown(value)))
        place = (self._moved(value) - self.low) / (self.high - self.low)
        return 1 - place if self.flipped else place

    def ticks(self) -> list[tuple[float, str]]:
        if self.labels:
            return [(self.place_of_label(index), label[:22]) for index, label in enumerate(self.labels)]
        values = _round_numbers(self.low, self.high, self.log)
        return [(self.place(value), f"{value:.6g}") for value in values]

    def place_of_label(self, index: int) -> float:
        if len(self.labels) == 1:
            return 0.5
        return SPREAD / 2 + (1 - SPREAD) * index / (len(self.labels) - 1)


def _round_numbers(low: float, high: float, log: bool) -> list[float]:
    """Give three to seven round numbers between two ends; logarithms of ends where `log`."""
    from matplotlib.ticker import MaxNLocator

    if log:
        for steps in ((1,), (1, 3), (1, 2, 5)):
            decades = range(math.floor(low), math.ceil(high) + 1)
            values = [float(f"{step}e{decade}") for decade in decades for step in steps]
            values = [value for value in values if low <= math.log10(value) <= high]
            if len(values) >= 3:
                return values
        low, high = 10**low, 10**high
    return [float(value) for value in MaxNLocator(5).tick_values(low, high) if low <= value <= high]


def _order(result: SweepResult) -> list[str]:
    """Give the drawn parameters, the most important beside the score."""
    names = [name for name, made in result.sweep.parameters.items() if made.distribution != "constant"]
    return sorted(names, key=lambda name: result.importances.get(name, 0.0))


def _wide(scores: Sequence[float | None]) -> bool:
    known = [score for score in scores if score is not None]
    return bool(known) and min(known) > 0 and max(known) > 10 * min(known)


def _curve(heights: Sequence[float]) -> tuple[list[tuple[float, float]], list[int]]:
    """Give a curve that is level where it crosses an axis, so that lines can be followed through."""
    points, codes = [(0.0, heights[0])], [1]
    for column, (left, right) in enumerate(itertools.pairwise(heights)):
        points += [(column + 0.45, left), (column + 0.55, right), (column + 1.0, right)]
        codes += [4, 4, 4]
    return points, codes


def _title(result: SweepResult) -> str:
    counts = ", ".join(f"{n} {state}" for state in ("complete", "pruned", "failed") if (n := result.count(state)))
    counts = counts.replace("pruned", "pruned (pale)")
    best = f"; best: trial {result.best.number}, {result.sweep.metric} {result.best.score:.4g}" if result.best else ""
    return f"{result.sweep.path.stem}: {counts}{best}"


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _saved(path: str | Path, figure: Any) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    return Path(path)
