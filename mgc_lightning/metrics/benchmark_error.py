"""What NoW and REALY have in common as metrics: predictions by their places in a data set, scored on any process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.metrics.gathered import GatheredMetric


class Scores(Protocol):
    """What a benchmark makes of its predictions."""

    def scalars(self) -> dict[str, float]:
        """Give what loggers take, by name."""


S = TypeVar("S", bound=Scores)


class BenchmarkError(GatheredMetric, Generic[S]):
    """Keep the errors of a benchmark's predictions; those that a distributed sampler repeats count once.

    Args:
        names: of every prediction of the data set; predictions are named by their places in it.
        jobs: threads that score.

    Example:
        `NoWError` and `REALYError` are of this kind; each says what it keeps and what it makes of it.

        >>> from mgc_lightning import NoWError
        >>> metric = NoWError(["FaMoS_1/selfie/a.jpg", "FaMoS_1/selfie/b.jpg"])
        >>> metric.places([1])  # of a batch of one photograph
        [1]
    """

    def __init__(self, names: Sequence[str], jobs: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_count("jobs", jobs)
        self.names, self.jobs = list(names), jobs

    @abstractmethod
    def local_scores(self) -> S:
        """Give the predictions that the present state holds, each once, in the order of `names`."""

    def compute(self) -> dict[str, Tensor]:
        """Give the scores (mm) that loggers take, by name."""
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in self.local_scores().scalars().items()}

    def scores(self) -> S:
        """Give the scores of every prediction, gathered over all processes."""
        if self._is_synced:
            return self.local_scores()
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            return self.local_scores()

    def places(self, index: Sequence[int] | Tensor, **sizes: int) -> list[int]:
        """Give the places of a batch in `names` as numbers.

        Args:
            index: the places.
            sizes: of the other arguments of the batch, by name.

        Raises:
            MGCError: if an argument has another size, or a place is none of `names`.
        """
        places = [int(i) for i in index]
        unlike = {name: size for name, size in sizes.items() if size != len(places)}
        if unlike:
            raise MGCError(f"Expected as many {', '.join(sizes)} as indices ({len(places)}), got {unlike}")
        outside = [place for place in places if not 0 <= place < len(self.names)]
        if outside:
            raise MGCError(f"Expected places in 0..{len(self.names) - 1}, got {outside[0]}")
        return places
