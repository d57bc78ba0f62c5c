"""The study's table and plot, from scores by row and seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.scores import Scores
from mgc_lightning.files.atomic import atomic_path

REFERENCE = "single_view"
UNITS = {"now": "mm", "realy": "mm", "depth": "mm", "pose": "degrees", "nme": "%"}
FIRST = ("now/median", "now/mean", "now/std", "realy/all", "depth", "pose", "nme")
"""Columns of the first table; the second has regions and yaws."""


def per_person(by_seed: dict[int, Scores], column: str) -> NDArray[np.float64]:
    """Average a column over the seeds: (P,) one number a person."""
    return np.mean([scores[column] for scores in by_seed.values()], axis=0)


def cell(found: dict[str, dict[int, Scores]], row: str, column: str) -> str:
    """Write a mean, its spread over seeds, and the paired difference to single view with its standard error."""
    by_seed = found[row]
    if any(column not in scores for scores in by_seed.values()):
        return ""
    own = per_person(by_seed, column)
    text = f"{np.nanmean(own):.2f}"
    if len(by_seed) > 1:
        text += f" ({np.std([np.nanmean(scores[column]) for scores in by_seed.values()], ddof=1):.2f})"
    reference = found.get(REFERENCE)
    if row == REFERENCE or reference is None or any(column not in scores for scores in reference.values()):
        return text
    shared = by_seed.keys() & reference.keys() if len(by_seed) > 1 else by_seed.keys()
    mine = per_person({seed: by_seed[seed] for seed in shared}, column)
    base = per_person({seed: reference[seed] for seed in shared if seed in reference} or reference, column)
    difference = (mine - base)[np.isfinite(mine - base)]
    error = difference.std(ddof=1) / len(difference) ** 0.5 if len(difference) > 1 else float("nan")
    return f"{text}, {100 * difference.mean() / np.nanmean(base):+.1f} +- {100 * error / np.nanmean(base):.1f} %"


def tables(found: dict[str, dict[int, Scores]]) -> str:
    """Give both tables as Markdown.

    A cell is the mean over people (in brackets the standard deviation over seeds), then the paired difference to single
    view in percent of it, with its standard error over people.
    """
    columns = list(dict.fromkeys(column for by_seed in found.values() for s in by_seed.values() for column in s))
    first = [column for column in FIRST if column in columns]
    return "\n".join(table(found, part) for part in (first, [c for c in columns if c not in first]) if part)


def table(found: dict[str, dict[int, Scores]], columns: list[str]) -> str:
    """Give one table as Markdown."""
    heads = [f"{column}, {UNITS[column.split('/')[0]]}" for column in columns]
    lines = ["| losses | seeds | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(columns)]
    for row, by_seed in found.items():
        cells = [row.replace("_", " "), str(len(by_seed)), *(cell(found, row, column) for column in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def plot(found: dict[str, dict[int, Scores]], path: Path) -> None:
    """Draw NoW's median, depth and pose of every row: means over people, a dot a seed."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    columns = (
        [column for column in ("now/median", "depth", "pose") if column in found[REFERENCE][min(found[REFERENCE])]]
        if REFERENCE in found
        else ["now/median"]
    )
    figure, axes = plt.subplots(1, len(columns), figsize=(4 * len(columns), 0.4 * len(found) + 1.2), sharey=True)
    for axis, column in zip(np.atleast_1d(axes), columns, strict=True):
        rows = [row for row, by_seed in found.items() if column in by_seed[min(by_seed)]]
        if column == "pose":
            rows = [row for row in rows if row != "mean face"]  # it stands at the true one
        for place, row in enumerate(found):
            if row not in rows:
                continue
            seeds = [float(np.nanmean(scores[column])) for scores in found[row].values()]
            axis.plot(seeds, [place] * len(seeds), "o", color="0.6", markersize=4)
            axis.plot(np.mean(seeds), place, "D", color="C0" if row != REFERENCE else "C3")
        if REFERENCE in found:
            axis.axvline(float(np.nanmean(per_person(found[REFERENCE], column))), color="C3", linewidth=0.8)
        axis.set_xlabel(f"{column}, {UNITS[column.split('/')[0]]}")
        axis.grid(axis="x", alpha=0.3)
    first = np.atleast_1d(axes)[0]
    first.set_yticks(range(len(found)), [row.replace("_", " ") for row in found])
    first.invert_yaxis()
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)
