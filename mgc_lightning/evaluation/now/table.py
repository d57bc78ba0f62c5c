"""NoW scores on a terminal, a row a challenge, with published rows beneath."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mgc_lightning.arguments.checked import checked
from mgc_lightning.evaluation.now.published import PUBLISHED, SOURCES
from mgc_lightning.evaluation.origin import SYNTHETIC
from mgc_lightning.evaluation.settings import NoWSplit
from mgc_lightning.metrics.now.aggregate import PooledError
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.scores import NoWScores


@checked
def scores_table(
    scores: NoWScores, unit: Unit | None = None, split: NoWSplit | None = None, published: bool = True
) -> Table:
    """Lay out the errors of all images and of each challenge, and the published rows, marked as such.

    Published rows belong under scores on the organisers' data set alone: `published=False` leaves them out.

    Example:
        >>> import numpy as np
        >>> from mgc_lightning.metrics.now.scores import ScoredPrediction
        >>> scores = NoWScores([ScoredPrediction("anna/selfie/1.jpg", np.array([1.0, 2.0, 6.0]))])
        >>> table = scores_table(scores)
        >>> list(table.columns[0].cells)[:2], list(table.columns[1].cells)[:2]
        (['selfie', 'all'], ['2.00', '2.00'])
    """
    kind = "non-metrical" if unit is None else f"metrical ({unit})"
    table = Table(title=f"NoW{f', {split}' if split else ''}, {kind}, mm")
    table.add_column("")
    for column in ("median", "mean", "std", "images", "distances"):
        table.add_column(column, justify="right", no_wrap=True)
    challenges = scores.challenges
    for name, error in challenges.items():
        count = sum(prediction.challenge == name for prediction in scores.predictions)
        table.add_row(name, *_cells(error), str(count), f"{error.n:,}")
    total = scores.total
    table.add_row("all", *_cells(total), str(len(scores.predictions)), f"{total.n:,}", style="bold", end_section=True)
    if unit is None and published:
        for row in PUBLISHED:
            cells = ["-" if value is None else f"{value:.2f}" for value in row[1:]]
            table.add_row(f"{row.method} (published)", *cells, style="dim")
        table.caption = f"Published rows: {SOURCES}"
    return table


@checked
def print_scores(
    scores: NoWScores,
    unit: Unit | None = None,
    split: NoWSplit | None = None,
    missing: Sequence[str] = (),
    console: Console | None = None,
    published: bool = True,
) -> None:
    """Print the table, and what to mind: missing and mirrored predictions, a synthetic set (not `published`)."""
    console = console or Console(width=None if Console().is_terminal else 100)
    console.print(scores_table(scores, unit, split, published))
    if not published:
        console.print(SYNTHETIC)
    if missing:
        console.print(f"{len(missing)} predictions are missing; the error is over the others and no NoW score.")
    if scores.reflected:
        console.print(
            f"{len(scores.reflected)} predictions fit their scan only mirrored, so that right and left landmarks are "
            f"probably swapped: {', '.join(scores.reflected[:5])}{' ...' if len(scores.reflected) > 5 else ''}"
        )


def _cells(error: PooledError) -> list[str]:
    return [f"{value:.2f}" for value in (error.median, error.mean, error.std)]
