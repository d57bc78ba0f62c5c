"""REALY scores on a terminal, with published rows beneath."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mgc_lightning.arguments.checked import checked
from mgc_lightning.evaluation.origin import SYNTHETIC
from mgc_lightning.evaluation.realy.published import PUBLISHED, SOURCES
from mgc_lightning.evaluation.settings import REALYView
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import REALYScores


@checked
def scores_table(scores: REALYScores, view: REALYView, published: bool = True) -> Table:
    """Lay out mean +- std and median of the regions, and the published rows of the view, marked as such.

    Example:
        >>> import numpy as np
        >>> from mgc_lightning.metrics.realy.scores import ScoredPrediction
        >>> errors = np.array([1.0, 2.0, 3.0, 4.0])
        >>> table = scores_table(REALYScores([ScoredPrediction("1", errors), ScoredPrediction("2", errors)]), "frontal")
        >>> [next(iter(column.cells)) for column in table.columns[:3]]
        ['these predictions', '1.000 ± 0.000 (1.000)', '2.000 ± 0.000 (2.000)']
    """
    table = Table(title=f"REALY, {view} view, mm: mean ± std (median); n = {len(scores.predictions)}")
    for column in ("", *REGIONS, "all"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    regions = scores.regions
    cells = [
        f"{regions[region].mean:.3f} ± {_std(regions[region].std)} ({regions[region].median:.3f})" for region in REGIONS
    ]
    table.add_row("these predictions", *cells, f"{scores.total:.3f}", end_section=True)
    for row in PUBLISHED[view] if published else ():
        cells = [f"{mean:.3f} ± {std:.3f}" for mean, std in row.regions]
        table.add_row(f"{row.method} (published)", *cells, f"{row.all:.3f}")
    if published:
        table.caption = f"Published rows: {SOURCES}"
    return table


@checked
def print_scores(
    scores: REALYScores,
    view: REALYView | None = None,
    missing: Sequence[str] = (),
    console: Console | None = None,
    published: bool = True,
) -> None:
    """Print the table, and what to mind: missing and mirrored predictions.

    Args:
        scores: of the predictions.
        view: whose published rows are shown; that of the predictions if not given (frontal if they are of both).
        missing: predictions that a complete set would have.
        console: where; the terminal, or lines wide enough for the table.
        published: show published rows; they belong under scores on the organisers' data set alone.
    """
    console = console or Console(width=None if Console().is_terminal else 140)
    if not scores.predictions:
        console.print("No prediction was scored.")
        return
    console.print(scores_table(scores, view or _view(scores), published))
    if not published:
        console.print(SYNTHETIC)
    if missing:
        console.print(f"{len(missing)} predictions are missing; the averages are over the others.")
    if scores.reflected:
        console.print(
            f"The seven keypoints of {', '.join(scores.reflected)} fit the scan only mirrored: are left and right "
            "swapped?"
        )


def _view(scores: REALYScores) -> REALYView:
    return "side" if all("_" in prediction.name for prediction in scores.predictions) else "frontal"


def _std(std: float) -> str:
    return "-" if math.isnan(std) else f"{std:.3f}"
