"""A table of validation faces, and the best and the worst of them as meshes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from callbacks.handing import hand_to_wandb, handed_views
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.losses.views import composite
from mgc_lightning.metrics.nme import normalized_mean_error
from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.pictures.drawing import to_picture
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.logged_steps import due
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.uploads import optional_file


@dataclass
class FaceRow:
    """Hold one validation face: its name, its scores, and what it looks like beside its photograph."""

    name: str
    scores: dict[str, float]
    picture: UInt8[NDArray, "h w 3"] | None = None


@dataclass
class _Extreme:
    score: float
    name: str
    verts: Float[Tensor, "N 3"]
    albedo: Float[Tensor, "N 3"]


class ValidationFaces(L.Callback):
    """Score every validation face by itself: a table, and meshes of the best and the worst.

    Writes `faces.csv`, `best.glb` and `worst.glb` into the run's folder and logs them to W&B, with pictures of the
    first faces. Scores are of the target view: landmarks (`nme`, percent), and `posed` and `neutral` (mm) where the
    truth is known; best and worst are by `posed`, else by `nme`. Of several processes, rank zero shows its share.

    Args:
        pictures: faces of the table that are shown beside their photographs.
        every: validations between two; the last one is always written.

    Attributes:
        rows: of the last table.

    Example:
        >>> trainer = L.Trainer(logger=False, enable_checkpointing=False, callbacks=[ValidationFaces(pictures=8)])
    """

    @checked
    def __init__(self, pictures: Whole = 16, every: Count = 1) -> None:
        self.pictures = pictures
        self.every = every
        self.artifacts: dict[str, Path] = {}
        self.rows: list[FaceRow] = []
        self._best: _Extreme | None = None
        self._worst: _Extreme | None = None
        self._validations = 0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin a table."""
        self.rows, self._best, self._worst = [], None, None

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: FaceTriplet,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score the faces of a batch, whose views the validation has made."""
        views = handed_views(outputs)
        if trainer.sanity_checking or not trainer.is_global_zero or views is None:
            return
        if not due(trainer, self._validations, self.every):
            return
        scores = face_scores(views, batch)
        shown = min(max(0, self.pictures - len(self.rows)), len(batch.images))
        pictures = _beside(views, batch, shown)
        by = scores["posed"] if "posed" in scores else scores["nme"]
        for index, name in enumerate(batch.sample_id):
            own = {key: values[index] for key, values in scores.items()}
            self.rows.append(FaceRow(name, own, pictures[index] if index < shown else None))
            if self._best is None or by[index] < self._best.score:
                self._best = _extreme(views, index, name, by[index])
            if self._worst is None or by[index] > self._worst.score:
                self._worst = _extreme(views, index, name, by[index])

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write and log."""
        if trainer.sanity_checking or trainer.fast_dev_run:  # type: ignore[attr-defined]  # a dry run leaves nothing
            return
        if self.rows and self._best is not None and self._worst is not None:
            with optional_file():
                self._write(trainer, cast(MGCModule, pl_module), {"best": self._best, "worst": self._worst})
        self._validations += 1

    def _write(self, trainer: L.Trainer, module: MGCModule, extremes: dict[str, _Extreme]) -> None:
        folder, faces = run_folder(trainer), module.network.face_model.faces.cpu()
        self.artifacts = {"validation faces": write_rows(folder / "faces.csv", self.rows)}
        for label, one in extremes.items():
            path = write_mesh(folder / f"{label}.glb", one.verts, faces, one.albedo)
            self.artifacts[f"{label} face, {one.name}"] = path
        hand_to_wandb(trainer, f"the table of faces ({folder / 'faces.csv'})", self._table)
        hand_to_wandb(trainer, f"best and worst face ({folder / 'best.glb'})", lambda: self._meshes(folder))

    def _table(self) -> dict[str, Any]:
        import wandb

        keys = list(self.rows[0].scores)
        table = wandb.Table(columns=["face", "photograph | reconstruction", *keys])
        for row in self.rows:
            picture = None if row.picture is None else wandb.Image(row.picture)
            table.add_data(row.name, picture, *(row.scores[key] for key in keys))
        return {"val/faces": table}

    def _meshes(self, folder: Path) -> dict[str, Any]:
        import wandb

        return {f"val/{label}_face": wandb.Object3D(str(folder / f"{label}.glb")) for label in ("best", "worst")}


def face_scores(views: FaceViews, batch: FaceTriplet) -> dict[str, list[float]]:
    """Score the target view of every sample: `nme` in percent, `posed` and `neutral` in mm where the truth is known."""
    scores = {"nme": normalized_mean_error(views.landmarks[:, 0], batch.landmarks[:, 0])}
    truth = batch.truth
    if truth is not None and truth.verts_posed.shape[-2] == views.mesh.verts.shape[-2]:
        scores["posed"] = vertex_distance(views.mesh.verts[:, 0], truth.verts_posed[:, 0], views.face_mask)
        scores["neutral"] = vertex_distance(views.verts_neutral[:, 0], truth.verts_neutral[:, 0], views.face_mask)
    # One copy from the device for all.
    table = torch.stack(list(scores.values())).cpu().tolist()
    return dict(zip(scores, table, strict=True))


def write_rows(path: Path, rows: list[FaceRow]) -> Path:
    """Write names and scores as CSV."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["face", *rows[0].scores])
        writer.writerows([row.name, *(f"{value:.4f}" for value in row.scores.values())] for row in rows)
    return path


def _extreme(views: FaceViews, index: int, name: str, score: float) -> _Extreme:
    verts, albedo = views.mesh.verts[index, 0], views.mesh.albedo[index, 0]
    return _Extreme(score, name, verts.detach().float().cpu(), albedo.detach().float().cpu())


def _beside(views: FaceViews, batch: FaceTriplet, count: int) -> list[UInt8[NDArray, "h w 3"]]:
    """Draw photographs beside their reconstructions, which the losses have rendered already."""
    if not count:
        return []
    step = views.num_views
    image, mask = views.rendered.image[::step][:count], views.rendered.mask[::step][:count]
    photograph = batch.images[:count, 0].float()
    both = torch.cat((photograph, composite(image, mask, photograph)), dim=-1).clamp(0, 1)
    return [to_picture(picture) for picture in both.cpu()]
