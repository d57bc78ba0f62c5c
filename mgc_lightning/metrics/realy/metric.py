"""REALY as a metric for training loops: `REALYError` keeps the state, `realy_errors` is the mathematics."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from mgc_lightning.metrics.benchmark_error import BenchmarkError
from mgc_lightning.metrics.realy.evaluate import PredictionErrors, realy_errors
from mgc_lightning.metrics.realy.scan import REALYScan
from mgc_lightning.metrics.realy.scores import REALYScores, ScoredPrediction
from mgc_lightning.metrics.realy.topology import Topology


class REALYError(BenchmarkError[REALYScores]):
    """Average region errors over predictions by the REALY protocol (mm).

    It computes `all`, and of each region its mean, `<region>/std` and `<region>/median`. Predictions that a distributed
    sampler repeats count once. They may live on any device; the protocol's registration runs on the CPU in double
    precision, `jobs` predictions at a time.

    Args:
        names: name of every prediction of the data set, `<subject>` or `<subject>_<view>`, in the official order.
        topology: of the predictions.
        jobs: threads.

    Attributes:
        latest: the `PredictionErrors` of each prediction of the last batch of this process, for pictures.

    Example:
        >>> from mgc_lightning.evaluation.realy.topology import load_topology
        >>> metric = REALYError(["1", "2"], load_topology("makehuman"))
        >>> bool(metric.compute()["all"].isnan())
        True
    """

    # Place, errors of the four regions, whether it was mirrored.
    STATES: ClassVar = {"rows": (torch.float64, (6,))}
    rows: list[Tensor] | Tensor

    def __init__(self, names: Sequence[str], topology: Topology, jobs: int = 1) -> None:
        super().__init__(names, jobs)
        self.topology = topology
        self.latest: list[PredictionErrors] = []

    def update(
        self,
        verts: Float[Tensor, "B N 3"],
        scans: Sequence[REALYScan],
        index: Sequence[int] | Int[Tensor, " B"],
    ) -> None:
        """Score a batch.

        Args:
            verts: (B, N, 3) predictions in the topology's order; any unit and pose.
            scans: the subject of each.
            index: places of the predictions in `names`.
        """
        places = self.places(index, verts=len(verts), scans=len(scans))
        arrays = verts.detach().float().cpu().numpy()
        with ThreadPoolExecutor(max(1, self.jobs)) as threads:
            self.latest = list(
                threads.map(lambda pair: realy_errors(pair[0], self.topology, pair[1]), zip(arrays, scans, strict=True))
            )
        for place, result in zip(places, self.latest, strict=True):
            row = torch.tensor([[place, *result.errors, result.alignment.reflected]], dtype=torch.float64)
            self.rows.append(row.to(self.device))  # type: ignore[union-attr]

    def local_scores(self) -> REALYScores:
        """Give the predictions that the present state holds, each once, in the order of `names`."""
        if not len(self.rows):
            return REALYScores([])
        found = {int(row[0]): row for row in dim_zero_cat(self.rows).cpu()}
        return REALYScores(
            [
                ScoredPrediction(self.names[place], row[1:5].numpy(), bool(row[5]))
                for place, row in sorted(found.items())
            ]
        )
