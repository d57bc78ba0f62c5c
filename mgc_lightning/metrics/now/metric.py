"""NoW as a metric for training loops: `NoWError` keeps the state, `now_error` is the mathematics."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from mgc_lightning.errors import check_choice
from mgc_lightning.metrics.benchmark_error import BenchmarkError
from mgc_lightning.metrics.now.evaluate import PredictionError, now_error
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.scan import NoWScan
from mgc_lightning.metrics.now.scores import NoWScores, ScoredPrediction


class NoWError(BenchmarkError[NoWScores]):
    """Pool scan-to-mesh distances over images by the NoW protocol (float64, mm).

    It computes median, mean and std of the pool, and CHALLENGE/median, ... of each challenge. The pool is kept whole,
    because a median cannot be reduced; images that a distributed sampler repeats count once. Predictions may live on
    any device; the protocol's double-precision search runs on the CPU, where one image takes about a tenth of a second,
    `jobs` of them at a time.

    Args:
        names: SUBJECT/CHALLENGE/FILE of every image of the data set.
        unit: None for the usual benchmark; "mm", "cm" or "m" of the predictions for the metrical one.
        corrected_start: see `align_landmarks`.
        jobs: threads.

    Attributes:
        latest: the `PredictionError` of each prediction of the last batch of this process, for pictures.

    Example:
        >>> import numpy as np
        >>> from mgc_lightning.metrics.now import crop_scan
        >>> rows, columns = np.mgrid[-60:61:4, -90:41:4].reshape(2, -1)
        >>> verts = np.stack([rows, columns, 60 - rows**2 / 60.0], axis=1)
        >>> grid = np.arange(31 * 33).reshape(31, 33)
        >>> corners = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
        >>> a, b, c, d = (part.ravel() for part in corners)
        >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        >>> marks = np.array([[-45, 0, 26], [-15, 0, 56], [15, 0, 56], [45, 0, 26], [0, -40, 60],
        ...                   [-25, -70, 50], [25, -70, 50.]])
        >>> metric = NoWError(["A/selfie/1.jpg"])
        >>> scan = crop_scan(verts, marks)
        >>> metric.update(torch.tensor(verts[None]) / 10, faces, torch.tensor(marks[None]) / 10, [scan], [0])
        >>> bool(metric.compute()["median"] < 1e-6)
        True
    """

    # The pool, and of each image the number of its distances, its place and whether it was mirrored.
    STATES: ClassVar = {
        "distances": (torch.float64, ()),
        "counts": (torch.int64, ()),
        "index": (torch.int64, ()),
        "reflected": (torch.int64, ()),
    }
    distances: list[Tensor] | Tensor
    counts: list[Tensor] | Tensor
    index: list[Tensor] | Tensor
    reflected: list[Tensor] | Tensor

    def __init__(
        self, names: Sequence[str], unit: Unit | None = None, corrected_start: bool = False, jobs: int = 1
    ) -> None:
        super().__init__(names, jobs)
        if unit is not None:
            check_choice("unit", unit, Unit)
        self.unit, self.corrected_start = unit, corrected_start
        self.latest: list[PredictionError] = []

    def update(
        self,
        verts: Float[Tensor, "B N 3"] | Sequence[Float[Tensor, "_ 3"]],
        faces: Int[Tensor, "F 3"] | Int[NDArray, "F 3"] | Sequence[Int[Tensor, "_ 3"] | Int[NDArray, "_ 3"]],
        landmarks: Float[Tensor, "B 7 3"],
        scans: Sequence[NoWScan],
        index: Sequence[int] | Int[Tensor, " B"],
    ) -> None:
        """Score a batch.

        Args:
            verts: predicted neutral meshes; a sequence where their topologies differ.
            faces: (F, 3) for all, or one for each.
            landmarks: the seven points of each, same unit and frame.
            scans: the cropped scan of each.
            index: places of the images in `names`.
        """
        places = self.places(index, verts=len(verts), landmarks=len(landmarks), scans=len(scans))
        shared = not isinstance(faces, (list, tuple))
        jobs = [
            (scan, _numpy(v), _numpy(faces if shared else faces[i]), _numpy(marks))
            for i, (scan, v, marks) in enumerate(zip(scans, verts, landmarks, strict=True))
        ]
        with ThreadPoolExecutor(max(1, self.jobs)) as threads:
            self.latest = list(threads.map(self._score, jobs))
        for place, error in zip(places, self.latest, strict=True):
            self._keep(place, error)

    def _score(self, job: tuple[NoWScan, NDArray, NDArray, NDArray]) -> PredictionError:
        return now_error(*job, unit=self.unit, corrected_start=self.corrected_start)

    def _keep(self, place: int, error: PredictionError) -> None:
        for state, value in (
            (self.distances, torch.from_numpy(error.distances)),
            (self.counts, torch.tensor([len(error.distances)])),
            (self.index, torch.tensor([place])),
            (self.reflected, torch.tensor([int(error.alignment.reflected)])),
        ):
            state.append(value.to(self.device))  # type: ignore[union-attr]

    def local_scores(self) -> NoWScores:
        """Give the predictions that the present state holds, each once, in the order of `names`."""
        if not len(self.counts):
            return NoWScores([])
        counts = dim_zero_cat(self.counts).tolist()
        if not counts:
            return NoWScores([])
        places = dim_zero_cat(self.index).tolist()
        reflected = dim_zero_cat(self.reflected).tolist()
        parts = dim_zero_cat(self.distances).cpu().split(counts)
        found = {
            place: ScoredPrediction(self.names[place], part.numpy(), bool(mirrored))
            for place, part, mirrored in zip(places, parts, reflected, strict=True)
        }
        return NoWScores([found[place] for place in sorted(found)])


def _numpy(array: Any) -> NDArray:
    return array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
