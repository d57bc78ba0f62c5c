"""Scores of a set of predictions: what commands print, callbacks log and files keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.metrics.now.aggregate import PooledError, pool
from mgc_lightning.metrics.now.names import CHALLENGES


@dataclass(frozen=True)
class ScoredPrediction:
    """Hold the error of one prediction.

    Attributes:
        name: SUBJECT/CHALLENGE/FILE of its image.
        distances: (N,) float64 mm, in scan order.
        reflected: whether the landmark fit mirrored the prediction.

    Example:
        >>> prediction = ScoredPrediction("FaMoS_1/selfie/a.jpg", np.array([0.5, 1.0, 3.0]))
        >>> prediction.challenge, prediction.error.median
        ('selfie', 1.0)
    """

    name: str
    distances: Float[NDArray, " N"]
    reflected: bool = False

    @property
    def challenge(self) -> str:
        """Folder of the image, one of `CHALLENGES` in the official set."""
        return self.name.split("/")[1]

    @property
    def error(self) -> PooledError:
        """Median, mean, std and number of the distances."""
        return pool(self.distances)


@dataclass(frozen=True)
class NoWScores:
    """Hold the scored predictions in the order of the list of images.

    Example:
        >>> names = ["anna/selfie/1.jpg", "anna/multiview_neutral/2.jpg"]
        >>> scores = NoWScores([ScoredPrediction(name, np.array([1.0, 2.0, 3.0 + i])) for i, name in enumerate(names)])
        >>> scores.total.median, scores.challenges["selfie"].mean
        (2.0, 2.0)
    """

    predictions: Sequence[ScoredPrediction]

    @property
    def pooled(self) -> Float[NDArray, " N"]:
        """All distances, concatenated."""
        return np.concatenate([np.empty(0), *(prediction.distances for prediction in self.predictions)])

    @property
    def total(self) -> PooledError:
        """Error over the pool."""
        return pool(self.pooled)

    @property
    def challenges(self) -> dict[str, PooledError]:
        """Error of each challenge that has images, in the official order."""
        found = {prediction.challenge for prediction in self.predictions}
        ordered = [name for name in CHALLENGES if name in found] + sorted(found - set(CHALLENGES))
        return {name: pool([one.distances for one in self.predictions if one.challenge == name]) for name in ordered}

    @property
    def reflected(self) -> list[str]:
        """Predictions that were fitted mirrored: their right and left landmarks are probably swapped."""
        return [prediction.name for prediction in self.predictions if prediction.reflected]

    def scalars(self) -> dict[str, float]:
        """Give what loggers take: median, mean, std, and CHALLENGE/median, ..."""
        parts = {"": self.total} | {f"{name}/": error for name, error in self.challenges.items()}
        return {
            f"{prefix}{key}": getattr(error, key)
            for prefix, error in parts.items()
            for key in ("median", "mean", "std")
        }
