"""Confidence intervals by resampling people: photographs of one person, measured to one scan, are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.evaluation.compare.methods import Method
from mgc_lightning.evaluation.settings import Protocol
from mgc_lightning.metrics.realy.regions import REGIONS

RESAMPLES = 2000
LEVEL = 0.95
BIN = 0.001
"""mm; medians of resampled pools are read from histograms of such bins."""
LONGEST = 100.0
"""mm; what is farther falls into the last bin, where no median is."""
ROWS = 64
"""Resamples at a time: a pool has tens of thousands of bins."""
HEADLINES: dict[Protocol, str] = {"now": "median", "realy": "all"}
"""The column by which methods are compared: NoW's median of all distances, REALY's mean of the regions."""
FEW = 10
"""People below which an interval is too narrow to be trusted."""


@dataclass(frozen=True)
class Estimate:
    """Hold a number with its 95 % interval.

    Example:
        >>> str(Estimate(-0.1, -0.2, -0.05))
        '-0.100 [-0.200, -0.050]'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write value and interval with three decimals."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Row:
    """Hold one method of a comparison.

    Attributes:
        name: of the method.
        scores: of each column, mm.
        difference: of the headline score to the first method's, on the same images and resamples; None for the first.
        better_on: share of the images on which its error is lower than the first method's; None for the first.
    """

    name: str
    scores: dict[str, Estimate]
    difference: Estimate | None = None
    better_on: float | None = None

    @property
    def verdict(self) -> str:
        """What the interval of the difference shows."""
        if self.difference is None:
            return ""
        if self.difference.high < 0:
            return "better"
        return "worse" if self.difference.low > 0 else "no difference shown"


@dataclass(frozen=True)
class Comparison:
    """Hold methods compared on the same images.

    Attributes:
        protocol: `now` or `realy`.
        rows: a method each, in the given order; differences are to the first.
        methods: their errors on these images.
        left_out: images that not all methods have.
    """

    protocol: Protocol
    rows: list[Row]
    methods: list[Method]
    left_out: list[str]

    @property
    def headline(self) -> str:
        """The column by which its methods are compared."""
        return HEADLINES[self.protocol]

    @property
    def people(self) -> int:
        """How many people the images show."""
        return len(set(self.methods[0].subjects))


def compare(methods: Sequence[Method], left_out: Sequence[str] = (), seed: int = 0) -> Comparison:
    """Estimate the scores of methods on the same images, and their differences to the first.

    People are drawn with replacement, 2000 times, the same ones for all methods; intervals are the 2.5 and 97.5
    percentiles (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13).

    Args:
        methods: on the same images, in the same order.
        left_out: images that were left out; only kept.
        seed: of the resamples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> images = tuple(f"{subject}" for subject in range(1, 31))
        >>> errors = tuple(rng.uniform(1, 2, 4) for _ in images)
        >>> first = Method("first", "realy", images, errors)
        >>> second = Method("second", "realy", images, tuple(each - 0.5 for each in errors))
        >>> row = compare([first, second]).rows[1]
        >>> str(row.difference), row.better_on, row.verdict
        ('-0.500 [-0.500, -0.500]', 1.0, 'better')
    """
    subjects = list(dict.fromkeys(methods[0].subjects))
    draws = np.random.default_rng(seed).integers(0, len(subjects), (RESAMPLES, len(subjects)))
    weights = np.stack([np.bincount(draw, minlength=len(subjects)) for draw in draws]).astype(np.float64)
    # The first row counts everybody once: the score itself.
    weights = np.concatenate([np.ones((1, len(subjects))), weights])
    protocol = methods[0].protocol
    columns = [(_now if protocol == "now" else _realy)(method, subjects, weights) for method in methods]
    headline = HEADLINES[protocol]
    rows = []
    for method, found in zip(methods, columns, strict=True):
        scores = {name: _estimate(values) for name, values in found.items()}
        if method is methods[0]:
            rows.append(Row(method.name, scores))
            continue
        difference = _estimate(found[headline] - columns[0][headline])
        ours, theirs = method.image_errors, methods[0].image_errors
        rows.append(Row(method.name, scores, difference, float((ours < theirs).mean())))
    return Comparison(protocol, rows, list(methods), list(left_out))


def _estimate(values: Float[NDArray, " R"]) -> Estimate:
    low, high = np.quantile(values[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values[0]), float(low), float(high))


def _now(method: Method, subjects: Sequence[str], weights: Float[NDArray, "R S"]) -> dict[str, Float[NDArray, " R"]]:
    """Give median, mean and standard deviation of the pool of all distances for each row of weights."""
    edges = round(LONGEST / BIN)
    histograms = np.zeros((len(subjects), edges + 1))
    moments = np.zeros((3, len(subjects)))
    for name, errors in zip(method.subjects, method.errors, strict=True):
        place = subjects.index(name)
        bins = np.minimum((errors / BIN).astype(np.int64), edges)
        histograms[place] += np.bincount(bins, minlength=edges + 1)
        moments[:, place] += len(errors), errors.sum(), np.square(errors).sum()
    used = int(histograms.any(axis=0).nonzero()[0].max()) + 1
    counts, sums, squares = (weights @ moments.T).T
    medians = np.empty(len(weights))
    for start in range(0, len(weights), ROWS):
        part = slice(start, start + ROWS)
        below = np.cumsum(weights[part] @ histograms[:, :used], axis=1)
        medians[part] = (np.argmax(below >= counts[part, None] / 2, axis=1) + 0.5) * BIN
    medians[0] = np.median(np.concatenate(method.errors))
    means = sums / counts
    return {"median": medians, "mean": means, "std": np.sqrt(np.maximum(squares / counts - means**2, 0))}


def _realy(method: Method, subjects: Sequence[str], weights: Float[NDArray, "R S"]) -> dict[str, Float[NDArray, " R"]]:
    """Give the mean of each region over all predictions, and the mean of these, for each row of weights."""
    sums, counts = np.zeros((len(subjects), len(REGIONS))), np.zeros(len(subjects))
    for name, errors in zip(method.subjects, method.errors, strict=True):
        place = subjects.index(name)
        sums[place] += errors
        counts[place] += 1
    means = (weights @ sums) / (weights @ counts)[:, None]
    return {**{region: means[:, place] for place, region in enumerate(REGIONS)}, "all": means.mean(axis=1)}
