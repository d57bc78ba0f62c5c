"""Scores of a set of predictions: what commands print, callbacks log and files keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.metrics.realy.regions import REGIONS

TEXT_LENGTH = 9
"""Characters of a value in the official text file, from which the official program computes its statistics."""


def official_text(error: float) -> str:
    """Write an error in mm as `REALY_error.txt` has it: the first nine characters of its decimals.

    Below 1e-4 the official program cuts an exponent off; here such values stay decimal.

    Example:
        >>> official_text(0.40328903653861387), official_text(0.0000123456)
        ('0.4032890', '0.0000123')
    """
    return np.format_float_positional(error, trim="0")[:TEXT_LENGTH]


@dataclass(frozen=True)
class ScoredPrediction:
    """Hold the errors (nose, mouth, forehead, cheek) of one prediction, mm.

    Attributes:
        name: `<subject>` or `<subject>_<view>`.
        errors: (4,) in the order of `REGIONS`.
        reflected: whether the global alignment mirrored the prediction.

    Example:
        >>> prediction = ScoredPrediction("7_left", np.array([1.7, 1.4, 2.1, 1.3]))
        >>> dict(zip(REGIONS, prediction.errors.tolist(), strict=True))
        {'nose': 1.7, 'mouth': 1.4, 'forehead': 2.1, 'cheek': 1.3}
    """

    name: str
    errors: Float[NDArray, " 4"]
    reflected: bool = False


@dataclass(frozen=True)
class RegionStatistics:
    """Hold mean, sample standard deviation (NaN for one prediction) and median, mm."""

    mean: float
    std: float
    median: float


def region_statistics(errors: Float[NDArray, " P"]) -> RegionStatistics:
    """Summarise one region over predictions, from their official texts.

    Example:
        >>> region_statistics(np.array([1.0, 2.0, 6.0]))
        RegionStatistics(mean=3.0, std=2.6457513110645907, median=2.0)
    """
    values = np.array([float(official_text(error)) for error in errors])
    std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return RegionStatistics(float(values.mean()), std, float(np.median(values)))


@dataclass(frozen=True)
class REALYScores:
    """Hold the scored predictions in the official order.

    Example:
        >>> found = [ScoredPrediction("1", np.array([1.0, 2, 3, 4])), ScoredPrediction("2", np.array([3.0, 4, 5, 6]))]
        >>> scores = REALYScores(found)
        >>> scores.total, scores.regions["nose"].mean
        (3.5, 2.0)
    """

    predictions: Sequence[ScoredPrediction]

    @property
    def regions(self) -> dict[str, RegionStatistics]:
        """Statistics of each region; empty without predictions."""
        if not self.predictions:
            return {}
        errors = np.stack([prediction.errors for prediction in self.predictions])
        return {region: region_statistics(errors[:, i]) for i, region in enumerate(REGIONS)}

    @property
    def total(self) -> float:
        """Plain mean of the four region means, mm; NaN without predictions."""
        regions = self.regions
        return sum(regions[region].mean for region in REGIONS) / len(REGIONS) if regions else math.nan

    @property
    def reflected(self) -> list[str]:
        """Predictions that were fitted mirrored: their right and left keypoints are probably swapped."""
        return [prediction.name for prediction in self.predictions if prediction.reflected]

    def scalars(self) -> dict[str, float]:
        """Give what loggers take: all, and nose, nose/std, nose/median, ..."""
        values = {"all": self.total}
        for region, statistics in self.regions.items():
            values |= {
                region: statistics.mean,
                f"{region}/std": statistics.std,
                f"{region}/median": statistics.median,
            }
        return values

    def error_text(self) -> str:
        """Give the content of the official `REALY_error.txt`."""
        return "".join(
            prediction.name + "\t" + "".join(f"\t{official_text(error)}" for error in prediction.errors) + "\n"
            for prediction in self.predictions
        )
