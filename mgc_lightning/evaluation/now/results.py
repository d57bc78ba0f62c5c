"""What a run of the benchmark writes: JSON, the official distances file, its summary, the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.evaluation.folder import BenchmarkFolder
from mgc_lightning.evaluation.now.curve import draw_curves, write_curve_csv
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.metrics.now.names import Challenge
from mgc_lightning.metrics.now.scores import NoWScores


@dataclass(frozen=True)
class NoWFolder(BenchmarkFolder):
    """Name the files of a run of NoW.

    Attributes:
        output: the JSON file.
        metrical: whether the run is metrical.
        challenge: the challenge, or None for all.

    Example:
        >>> run = NoWFolder(Path("scores/mine.json"), challenge="selfie")
        >>> run.distances.as_posix()
        'scores/mine/mine_computed_distances_selfie.npy'
    """

    metrical: bool = False
    challenge: Challenge | None = None

    @property
    def distances(self) -> Path:
        """The official file of all distances; its method's name is that of the JSON file."""
        kind = "_metrical" if self.metrical else ""
        part = f"_{self.challenge}" if self.challenge else ""
        return self.folder / f"{self.output.stem}{kind}_computed_distances{part}.npy"

    @property
    def summary(self) -> Path:
        """The official text of median and mean."""
        return self.distances.with_name(f"{self.distances.name}.meanmedian")

    @property
    def curve_picture(self) -> Path:
        """The cumulative curve as PNG."""
        return self.folder / "cumulative_error.png"

    @property
    def curve_table(self) -> Path:
        """The cumulative curve as CSV."""
        return self.folder / "cumulative_error.csv"


def results_json(scores: NoWScores, missing: Sequence[str]) -> dict[str, Any]:
    """Give the results as plain values.

    Example:
        >>> from mgc_lightning.metrics.now.scores import ScoredPrediction
        >>> scores = NoWScores([ScoredPrediction("anna/selfie/1.jpg", np.array([1.0, 2.0, 6.0]))])
        >>> found = results_json(scores, missing=["anna/selfie/2.jpg"])
        >>> found["median"], found["mean"], found["missing"]
        (2.0, 3.0, ['anna/selfie/2.jpg'])
    """
    total = scores.total
    return {
        "median": total.median,
        "mean": total.mean,
        "std": total.std,
        "distances": total.n,
        "predictions": len(scores.predictions),
        "missing": list(missing),
        "images": [
            {
                "name": prediction.name,
                "median": error.median,
                "mean": error.mean,
                "std": error.std,
                "distances": error.n,
                "reflected": prediction.reflected,
            }
            for prediction in scores.predictions
            for error in [prediction.error]
        ],
    }


def write_results(folder: NoWFolder, scores: NoWScores, missing: Sequence[str], lines: Sequence[str]) -> None:
    """Write all files of a run.

    Args:
        folder: where.
        scores: what.
        missing: images without a prediction.
        lines: lines of the image list that were asked for.
    """
    pooled, total = scores.pooled, scores.total
    write_distances(folder.distances, scores, len(missing), lines)
    with atomic_path(folder.summary) as temporary:
        temporary.write_text(f"{total.median}\n{total.mean}\n", encoding="ascii")
    write_curve_csv(folder.curve_table, pooled)
    draw_curves(folder.curve_picture, {folder.output.stem: pooled})
    folder.write(results_json(scores, missing))


def write_distances(path: Path, scores: NoWScores, num_missing: int, lines: Sequence[str]) -> None:
    """Write the official file: a pickled dictionary computed_distances, num_missing_files, input_files."""
    content = {
        "computed_distances": [prediction.distances for prediction in scores.predictions],
        "num_missing_files": num_missing,
        "input_files": np.array(list(lines)),
    }
    with atomic_path(path) as temporary:
        np.save(temporary, np.array(content, dtype=object), allow_pickle=True)
