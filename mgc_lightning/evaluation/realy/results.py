"""What a run of the benchmark writes: JSON, the official text file, error maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_lightning.evaluation.folder import BenchmarkFolder
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import REALYScores


@dataclass(frozen=True)
class REALYFolder(BenchmarkFolder):
    """Name the files of a run of REALY.

    Attributes:
        output: the JSON file.

    Example:
        >>> run = REALYFolder(Path("scores/mine.json"))
        >>> run.error_text.as_posix(), run.error_maps.as_posix()
        ('scores/mine/REALY_error.txt', 'scores/mine/error_maps')
    """

    @property
    def error_text(self) -> Path:
        """The official text file."""
        return self.folder / "REALY_error.txt"

    @property
    def error_maps(self) -> Path:
        """Scan regions coloured by error, a folder a prediction."""
        return self.folder / "error_maps"


def results_json(scores: REALYScores, missing: Sequence[str]) -> dict[str, Any]:
    """Give the results as plain values; what is undefined (the deviation of one prediction) is None.

    Example:
        >>> import numpy as np
        >>> from mgc_lightning.metrics.realy.scores import ScoredPrediction
        >>> scores = REALYScores([ScoredPrediction("1", np.array([1.0, 2.0, 3.0, 4.0]))])
        >>> found = results_json(scores, missing=["2"])
        >>> sorted(found), found["missing"]
        (['all', 'images', 'missing', 'predictions', 'regions'], ['2'])
    """
    return {
        "all": _defined(scores.total),
        "predictions": len(scores.predictions),
        "missing": list(missing),
        "regions": {
            region: {"mean": value.mean, "std": _defined(value.std), "median": value.median}
            for region, value in scores.regions.items()
        },
        "images": [
            {
                "name": prediction.name,
                **dict(zip(REGIONS, prediction.errors.tolist(), strict=True)),
                "reflected": prediction.reflected,
            }
            for prediction in scores.predictions
        ],
    }


def write_results(folder: REALYFolder, scores: REALYScores, missing: Sequence[str]) -> None:
    """Write the files of a run; error maps are there since their predictions were scored.

    Args:
        folder: where.
        scores: what.
        missing: predictions that a complete set would have.
    """
    with atomic_path(folder.error_text) as temporary:
        temporary.write_text(scores.error_text(), encoding="ascii")
    folder.write(results_json(scores, missing))


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
