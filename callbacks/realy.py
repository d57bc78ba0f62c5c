"""REALY while training and at test: scores, error maps, the best and the worst faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L

from callbacks.benchmark import BenchmarkCallback, predict
from callbacks.realy_pictures import log_pictures, write_pictures
from datamodules.realy import REALYDataModule
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.evaluation.realy.table import print_scores
from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
from mgc_lightning.evaluation.settings import REALYView
from mgc_lightning.evaluation.submission import scored_verts
from mgc_lightning.metrics.realy.evaluate import PredictionErrors
from mgc_lightning.metrics.realy.metric import REALYError
from mgc_lightning.metrics.realy.scores import REALYScores
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.structures import AlignedPhotos
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.run_folder import run_folder


class REALYBenchmark(BenchmarkCallback):
    """Score the network by REALY after validations and at test, over all ranks.

    Logs `realy/all`, `realy/<region>`, `realy/<region>/std`, `realy/<region>/median` and `realy/seconds` to every
    logger, so that `ModelCheckpoint(monitor="realy/all")` works: a validation that does not score logs the last scores
    again. The run's folder gets error maps and the best and the worst mesh as GLB; W&B gets them too, with a table of
    images.

    A photograph costs the network's forward pass and about a second on a core for the protocol, divided by the
    ranks: use `subset` and `every` while training.

    Args:
        dataset: folder in the official layout (`mgc synthesize realy` writes one). Without it, the trainer's own
            `REALYDataModule` is scored at test.
        photos: folder of the photographs, see `REALYDataModule`.
        landmarks: folder of their landmarks or boxes, see `REALYDataModule`.
        view: `frontal` or `side`.
        topology: name or path of a topology with keypoints; that of the network's face model if not given.
        neutral: leave the predicted expression away: REALY's subjects are neutral, but published scores include it.
        subset: this many photographs, evenly over the list; all if not given.
        every: validations (epochs, usually) from one run to the next, beginning with the first; 0 tests only.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.
        jobs: threads of each process that score.
        pictures: photographs with an error map: the first ones.

    Attributes:
        scores: of the last run, the same on every process.
        artifacts: label to path of what was written, for `SummaryTable`.

    Example:
        >>> best = L.pytorch.callbacks.ModelCheckpoint(monitor="realy/all")
        >>> trainer = L.Trainer(logger=False, callbacks=[REALYBenchmark(Path("data/realy"), every=5, subset=20), best])
    """

    prefix = "realy"
    data_module = REALYDataModule
    data: REALYDataModule | None
    metric: REALYError | None
    scores: REALYScores | None

    @checked
    def __init__(
        self,
        dataset: str | Path | None = None,
        photos: str | Path | None = None,
        landmarks: str | Path | None = None,
        view: REALYView = "frontal",
        topology: str | Path | None = None,
        neutral: bool = False,
        subset: Count | None = None,
        every: Whole = 1,
        batch_size: Count = 16,
        num_workers: Whole = 0,
        jobs: Count = 1,
        pictures: Whole = 8,
    ) -> None:
        selection: dict[str, Any] = {
            "dataset": dataset, "photos": photos, "landmarks": landmarks, "view": view, "subset": subset,
            "batch_size": batch_size, "num_workers": num_workers,
        }  # fmt: skip
        super().__init__(selection, every, neutral)
        self.topology, self.jobs, self.pictures = topology, jobs, pictures
        self._shown: dict[str, PredictionErrors] = {}

    def make_metric(self, network: FaceNetwork) -> REALYError:
        """Make what keeps the scores; keypoints must be there, and belong to the network's meshes."""
        assert self.data is not None
        face_model = network.face_model
        topology = load_topology(self.topology) if self.topology else topology_of(face_model)
        topology.check(face_model.mean.cpu().numpy(), f"face model {face_model.name!r}")
        return REALYError(self.data.names, topology, self.jobs)

    def start(self, module: MGCModule) -> None:
        """Forget earlier predictions."""
        super().start(module)
        self._shown = {}

    def add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        """Predict and score photographs of this process; keep some to show."""
        assert self.data is not None
        assert self.metric is not None
        coefficients = predict(module.network, batch.images.to(module.device))
        verts = scored_verts(module.network.face_model, coefficients, self.neutral)
        scans = [self.data.scan(place) for place in batch.index.tolist()]
        self.metric.update(verts, scans, batch.index)
        latest = list(zip(batch.names, self.metric.latest, strict=True))
        self._shown |= dict(latest[: max(0, self.pictures - len(self._shown))])

    def show(self, trainer: L.Trainer, module: MGCModule) -> None:
        """Write and log error maps, the best and the worst mesh."""
        assert self.data is not None
        assert self.scores is not None
        folder = run_folder(trainer) / "realy"
        write_pictures(folder, module, self.data, self.scores, self._shown)
        log_pictures(trainer, folder, self.data, self.scores, self._shown)
        self.artifacts = {"REALY scores": folder / "scores.json"}

    def print_table(self) -> None:
        """Print the scores beside published ones."""
        assert self.data is not None
        assert self.scores is not None
        print_scores(self.scores, self.data.view, published=not self.data.dataset.synthetic)
