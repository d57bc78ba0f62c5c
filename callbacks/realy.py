"""REALY scores while training and at test."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from callbacks.benchmark import BenchmarkCallback
from datamodules.realy import REALYDataModule
from mgc_lightning.evaluation.realy.benchmark import results_json
from mgc_lightning.evaluation.realy.error_map import draw_error_map
from mgc_lightning.evaluation.realy.submission import scored_verts
from mgc_lightning.evaluation.realy.table import print_scores
from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.metrics.realy.evaluate import SubjectErrors
from mgc_lightning.metrics.realy.metric import REALYError
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import RealyScores
from mgc_lightning.pictures.drawing import save_png
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
        images: folder of the images, see `REALYDataModule`.
        landmarks: folder of their landmarks or boxes, see `REALYDataModule`.
        view: `frontal` or `side`.
        topology: name or path of a topology with keypoints; that of the network's face model if not given.
        neutral: leave the predicted expression away: REALY's subjects are neutral, but published scores include it.
        subset: this many images, evenly over the list; all if not given.
        every: validations from one run to the next, beginning with the first; 0 tests only.
        batch_size: photographs at a time.
        jobs: threads of each rank.
        pictures: rows of the table.

    Attributes:
        scores: of the last run, the same on every rank.
        artifacts: label to path of what was written, for `SummaryTable`.
    """

    prefix = "realy"
    data_module = REALYDataModule
    data: REALYDataModule | None

    def __init__(
        self,
        dataset: Path | None = None,
        images: Path | None = None,
        landmarks: Path | None = None,
        view: str = "frontal",
        topology: str | None = None,
        neutral: bool = False,
        subset: int | None = None,
        every: int = 1,
        batch_size: int = 16,
        jobs: int = 1,
        pictures: int = 8,
    ) -> None:
        selection: dict[str, Any] = {
            "dataset": dataset, "images": images, "landmarks": landmarks, "view": view, "subset": subset,
            "batch_size": batch_size,
        }  # fmt: skip
        super().__init__(selection, every)
        self.topology, self.neutral, self.jobs, self.pictures = topology, neutral, jobs, pictures
        self.scores = RealyScores([])
        self.artifacts: dict[str, Path] = {}
        self._metric: REALYError | None = None
        self._shown: dict[str, SubjectErrors] = {}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Find all files, keypoints among them, before anything is trained."""
        super().setup(trainer, pl_module, stage)
        if self.data is None:
            return
        face_model = cast(MGCModule, pl_module).network.face_model
        topology = load_topology(self.topology) if self.topology else topology_of(face_model)
        topology.check(face_model.mean.cpu().numpy(), f"face model {face_model.name!r}")
        self._metric = REALYError(self.data.names, topology, self.jobs)

    def start(self, module: MGCModule) -> None:
        """Forget earlier predictions."""
        assert self._metric is not None
        self._metric.to(module.device).reset()
        self._shown = {}

    def add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        """Predict and score photographs of this process; keep some to show."""
        assert self.data is not None
        assert self._metric is not None
        coefficients = module.network.coefficients(batch.images.to(module.device))
        verts = scored_verts(module.network.face_model, coefficients, self.neutral)
        self._metric.update(verts, [self.data.scan(int(index)) for index in batch.index], batch.index)
        latest = list(zip(batch.names, self._metric.latest, strict=True))
        self._shown |= dict(latest[: max(0, self.pictures - len(self._shown))])

    def gather(self) -> dict[str, float]:
        """Give the scores over all processes; regions without a score are left out."""
        assert self._metric is not None
        self.scores = self._metric.scores()
        return {name: value for name, value in self.scores.scalars().items() if not math.isnan(value)}

    def print_table(self) -> None:
        """Print the scores beside published ones."""
        assert self.data is not None
        print_scores(self.scores, self.data.view)

    def show(self, trainer: L.Trainer, module: MGCModule) -> None:
        """Write error maps and the best and the worst mesh, and log them to W&B."""
        folder = run_folder(trainer) / "realy"
        with atomic_path(folder / "scores.json") as temporary:
            temporary.write_text(json.dumps(results_json(self.scores, []), indent=1), encoding="ascii")
        maps = {name: save_png(folder / f"{name}.png", draw_error_map(result)) for name, result in self._shown.items()}
        ranked = sorted(self.scores.predictions, key=lambda prediction: float(prediction.errors.mean()))
        meshes = {
            kind: self._write_mesh(module, ranked[place].name, folder / f"{kind}.glb")
            for kind, place in (("best", 0), ("worst", -1))
        }
        self.artifacts = {"REALY scores": folder / "scores.json"}
        for target in trainer.loggers:
            if isinstance(target, WandbLogger):
                self._log_to_wandb(target, trainer.global_step, maps, meshes)

    def _write_mesh(self, module: MGCModule, name: str, path: Path) -> Path:
        assert self.data is not None
        crop = self.data.photos[self.data.names.index(name)].images.to(module.device)
        coefficients = module.network.coefficients(crop)
        mesh = module.network.face_model(coefficients)
        return write_mesh(path, mesh.verts[0], mesh.faces, mesh.albedo[0])

    def _log_to_wandb(self, target: WandbLogger, step: int, maps: dict[str, Path], meshes: dict[str, Path]) -> None:
        import wandb

        assert self.data is not None
        errors = {prediction.name: prediction.errors for prediction in self.scores.predictions}
        rows = [
            [name, wandb.Image(str(self.data.photos.paths[self.data.names.index(name)])), *errors[name].tolist(),
             float(errors[name].mean()), wandb.Image(str(path))]
            for name, path in maps.items()
        ]  # fmt: skip
        target.log_table("realy/images", columns=["name", "image", *REGIONS, "all", "error map"], data=rows, step=step)
        objects = {f"realy/{kind}": wandb.Object3D(str(path)) for kind, path in meshes.items()}
        target.experiment.log(objects | {"trainer/global_step": step})
