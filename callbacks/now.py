"""NoW while training and at test: scores, the cumulative curve, the best and the worst faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L

from callbacks.benchmark import BenchmarkCallback
from callbacks.now_pictures import log_pictures, picture_faces, write_pictures
from datamodules.now import NoWDataModule
from mgc_lightning.evaluation.now.submission import neutral_faces
from mgc_lightning.evaluation.now.table import print_scores
from mgc_lightning.metrics.now import NoWError, NoWScores
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
        photos: the tree of photographs, if it lies elsewhere.
        every: validations (epochs, usually) from one run to the next, beginning with the first; 0 tests only.
        subset: this many photographs, evenly over the list; all if not given.
        split: `validation` or `test`.
        challenge: one challenge only.
        unit: "mm" scores the metrical benchmark, which keeps the predicted size.
        box_scale: see `NoWDataModule`.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.
        jobs: threads that score.
        faces: photographs on the sheet and with pictures in the table: the worst, and others evenly.
        error_limit: mm that get the last colour.

    Attributes:
        scores: of the last run, the same on every process.
        artifacts: label to path of what was written, for `SummaryTable`.
    """

    prefix = "now"
    data_module = NoWDataModule
    data: NoWDataModule | None

    def __init__(
        self,
        dataset: Path | None = None,
        photos: Path | None = None,
        every: int = 1,
        subset: int | None = None,
        split: str = "validation",
        challenge: str | None = None,
        unit: str | None = None,
        box_scale: float = 1.0,
        batch_size: int = 16,
        num_workers: int = 0,
        jobs: int = 1,
        faces: int = 6,
        error_limit: float = 5.0,
    ) -> None:
        selection: dict[str, Any] = {
            "dataset": dataset, "photos": photos, "split": split, "challenge": challenge, "subset": subset,
            "box_scale": box_scale, "batch_size": batch_size, "num_workers": num_workers,
        }  # fmt: skip
        super().__init__(selection, every)
        self.unit, self.jobs, self.faces, self.error_limit = unit, jobs, faces, error_limit
        self.split = split
        self.scores: NoWScores | None = None
        self.artifacts: dict[str, Path] = {}
        self._metric: NoWError | None = None

    def start(self, module: MGCModule) -> None:
        """Forget earlier predictions."""
        assert self.data is not None
        names = [image.name for image in self.data.images]
        self._metric = NoWError(names, unit=self.unit, jobs=self.jobs).to(module.device)

    def add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        """Predict and score photographs of this process."""
        assert self.data is not None
        assert self._metric is not None
        verts, landmarks = neutral_faces(module.network, batch.images.to(module.device))
        scans = [self.data.dataset.scan(self.data.images[int(place)].subject) for place in batch.index]
        self._metric.update(verts, module.network.face_model.faces, landmarks, scans, batch.index)

    def gather(self) -> dict[str, float]:
        """Give the scores over all processes."""
        assert self._metric is not None
        self.scores = self._metric.scores()
        return self.scores.scalars()

    def show(self, trainer: L.Trainer, module: MGCModule) -> None:
        """Write and log the curve, a sheet of faces, the best and the worst mesh."""
        assert self.data is not None
        assert self.scores is not None
        faces = picture_faces(module, self.data, self.scores, self.faces, self.unit, self.error_limit)
        folder = run_folder(trainer) / "now"
        write_pictures(folder, self.scores, faces, self.error_limit)
        log_pictures(trainer, folder, self.scores, faces)
        self.artifacts = {"NoW scores": folder / "scores.json", "NoW faces": folder / "faces.png"}

    def print_table(self) -> None:
        """Print the scores beside published ones."""
        assert self.scores is not None
        print_scores(self.scores, self.unit, self.split)
