"""NoW while training and at test: scores, the cumulative curve, the best and the worst faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L

from callbacks.benchmark import BenchmarkCallback, predict
from callbacks.now_pictures import log_pictures, picture_faces, write_pictures
from datamodules.now import NoWDataModule
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.evaluation.now.table import print_scores
from mgc_lightning.evaluation.settings import BoxScale, NoWSplit
from mgc_lightning.evaluation.submission import scored_verts
from mgc_lightning.metrics.now.metric import NoWError
from mgc_lightning.metrics.now.names import Challenge, Unit
from mgc_lightning.metrics.now.scores import NoWScores
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.structures import AlignedPhotos
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.run_folder import run_folder


class NoWBenchmark(BenchmarkCallback):
    """Score the network's neutral faces by NoW after validations and at test.

    Every process scores its share of the photographs; all then hold the same scores. Logged are now/median, now/mean,
    now/std, the same of each challenge (now/selfie/median) and now/seconds; `ModelCheckpoint(monitor="now/median")`
    works: a validation that does not score logs the last scores again. The run's folder gets `now/scores.json`, the
    cumulative curve (PNG, CSV), a sheet of faces with error maps and the best and the worst mesh as GLB; W&B gets them
    too, with a table of images.

    Cost, measured on one busy core for 40 photographs of 28,000 scan points each: 7 s for the protocol (divided by
    `jobs` and by the processes), 2 to 3 s for the pictures, .3 s for reading, and the network's forward passes (.1 s
    for the quickstart's, 5 s for a ResNet-50 at 224 px on the CPU). now/seconds logs it.

    Args:
        dataset: the evaluator's folder. Without it, the trainer's own `NoWDataModule` is scored at test.
        photos: the tree of photographs, see `NoWDataModule`.
        split: `validation` or `test`.
        challenge: one challenge only.
        unit: "mm" scores the metrical benchmark, which keeps the predicted size.
        neutral: leave the predicted expression away, as the benchmark expects.
        subset: this many photographs, evenly over the list; all if not given.
        every: validations (epochs, usually) from one run to the next, beginning with the first; 0 tests only.
        box_scale: see `NoWDataModule`.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.
        jobs: threads of each process that score.
        pictures: photographs on the sheet and with pictures in the table: the worst, and others evenly.
        error_limit: mm that get the last colour.

    Attributes:
        scores: of the last run, the same on every process.
        artifacts: label to path of what was written, for `SummaryTable`.

    Example:
        >>> best = L.pytorch.callbacks.ModelCheckpoint(monitor="now/median")
        >>> trainer = L.Trainer(logger=False, callbacks=[NoWBenchmark(Path("data/now"), every=5, subset=40), best])
    """

    prefix = "now"
    data_module = NoWDataModule
    data: NoWDataModule | None
    metric: NoWError | None
    scores: NoWScores | None

    @checked
    def __init__(
        self,
        dataset: str | Path | None = None,
        photos: str | Path | None = None,
        split: NoWSplit = "validation",
        challenge: Challenge | None = None,
        unit: Unit | None = None,
        neutral: bool = True,
        subset: Count | None = None,
        every: Whole = 1,
        box_scale: BoxScale = 1.0,
        batch_size: Count = 16,
        num_workers: Whole = 0,
        jobs: Count = 1,
        pictures: Whole = 6,
        error_limit: float = 5.0,
    ) -> None:
        selection: dict[str, Any] = {
            "dataset": dataset, "photos": photos, "split": split, "challenge": challenge, "subset": subset,
            "box_scale": box_scale, "batch_size": batch_size, "num_workers": num_workers,
        }  # fmt: skip
        super().__init__(selection, every, neutral)
        self.unit, self.jobs, self.pictures, self.error_limit = unit, jobs, pictures, error_limit

    def make_metric(self, network: FaceNetwork) -> NoWError:
        """Make what keeps the scores."""
        assert self.data is not None
        return NoWError(self.data.names, unit=self.unit, jobs=self.jobs)

    def add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        """Predict and score photographs of this process."""
        assert self.data is not None
        assert self.metric is not None
        model = module.network.face_model
        coefficients = predict(module.network, batch.images.to(module.device))
        verts = scored_verts(model, coefficients, self.neutral)
        scans = [self.data.scan(place) for place in batch.index.tolist()]
        self.metric.update(verts, model.faces, model.landmarks7(verts), scans, batch.index)

    def show(self, trainer: L.Trainer, module: MGCModule) -> None:
        """Write and log the curve, a sheet of faces, the best and the worst mesh."""
        assert self.data is not None
        assert self.scores is not None
        folder = run_folder(trainer) / "now"
        faces = picture_faces(module, self.data, self.scores, self.pictures, self.unit, self.neutral, self.error_limit)
        write_pictures(folder, self.scores, faces, self.error_limit)
        log_pictures(trainer, folder, self.scores, faces)
        self.artifacts = {"NoW scores": folder / "scores.json", "NoW faces": folder / "faces.png"}

    def print_table(self) -> None:
        """Print the scores beside published ones."""
        assert self.data is not None
        assert self.scores is not None
        print_scores(self.scores, self.unit, self.data.split, published=not self.data.dataset.synthetic)
