"""Pooling of NoW distances: every scan vertex of every image has one vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

CURVE_BINS = 100_000
CURVE_LIMIT_MM = 8.0


@dataclass(frozen=True)
class PooledError:
    """Hold median, mean, standard deviation (population) in mm, and the number of pooled distances.

    Example:
        >>> error = pool([np.array([1.0, 2.0]), np.array([6.0])])  # two images, three scan points
        >>> error.median, error.mean, error.n
        (2.0, 3.0, 3)
    """

    median: float
    mean: float
    std: float
    n: int


def pool(distances: Sequence[Float[NDArray, " _"]] | Float[NDArray, " N"]) -> PooledError:
    """Pool the distances (mm) of images; the median of the pool is not the mean of the images' medians.

    Example:
        >>> pool([np.array([0.0, 1.0, 2.0]), np.array([4.0])])
        PooledError(median=1.5, mean=1.75, std=1.479019945774904, n=4)
    """
    pooled = distances if isinstance(distances, np.ndarray) else np.concatenate([np.empty(0), *distances])
    if not pooled.size:
        return PooledError(float("nan"), float("nan"), float("nan"), 0)
    return PooledError(float(np.median(pooled)), float(pooled.mean()), float(pooled.std()), pooled.size)


def cumulative_curve(
    distances: Float[NDArray, " N"], bins: int = CURVE_BINS
) -> tuple[Float[NDArray, " bins"], Float[NDArray, " bins"]]:
    """Give the cumulative error curve as the NoW site draws it: left bin edges (mm), percent of the pool.

    Args:
        distances: (N,) pooled, mm.
        bins: equal bins from the least to the greatest distance.

    Example:
        >>> edges, percent = cumulative_curve(np.array([0.0, 1.0, 2.0, 4.0]), bins=4)
        >>> edges.tolist(), percent.tolist()
        ([0.0, 1.0, 2.0, 3.0], [25.0, 50.0, 75.0, 100.0])
    """
    counts, edges = np.histogram(distances, bins=bins)
    return edges[:-1], np.cumsum(counts) * (100.0 / distances.size)


def thinned_curve(
    distances: Float[NDArray, " N"], step: float = 0.01
) -> tuple[Float[NDArray, " K"], Float[NDArray, " K"]]:
    """Give the curve at distances 0, `step`, ... 8 mm, for files and loggers.

    Example:
        >>> distances, percent = thinned_curve(np.array([0.5, 1.5, 2.5, 9.0]), step=1.0)
        >>> distances[:4].tolist(), percent[:4].tolist()
        ([0.0, 1.0, 2.0, 3.0], [0.0, 25.0, 50.0, 75.0])
    """
    grid = np.arange(round(CURVE_LIMIT_MM / step) + 1) * step
    below = np.searchsorted(np.sort(distances), grid, side="right")
    return grid, below * (100.0 / max(1, distances.size))
