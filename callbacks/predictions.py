"""Write what `lightning predict` finds: arrays by shard, and meshes where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count
from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.files.names import safe_name
from mgc_lightning.files.text import write_json
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.run_folder import run_folder

PredictedArray = Literal["coefficients", "landmarks", "verts"]
"""Arrays of a prediction."""
MeshFormat = Literal["ply", "obj", "glb"]
"""Mesh files, by their suffix."""
INDEX = "predictions.json"


class WritePredictions(BasePredictionWriter):
    """Write the predictions of `lightning predict` as npz files of many samples each.

    `RANK-SHARD.npz` has `sample_id` (S names, one a sample), `coefficients` (S, V, C), `landmarks` (S, V, 68, 2) px of
    the crop, and by option `verts` (S, V, N, 3) mm in the model frame, without pose; each file is there whole or not at
    all. Beside them `predictions.json` names the slices of the coefficients, the face model, image size and focal
    length. Each process writes files of its own; data modules that fill up the last batch repeat a sample there.

    Args:
        folder: where to write; `predictions` in the folder of the run if not given.
        arrays: which to write.
        meshes: write a mesh for each view, too: `meshes/NAME.ply`, `NAME_1.ply` for its second view.
        shard_size: samples a file.

    Raises:
        MGCError: if the folder has predictions already, or an array or format is unknown.

    Attributes:
        written: samples of this process that are in files.

    Example:
        >>> trainer = L.Trainer(logger=False, callbacks=[WritePredictions("faces", meshes="ply")])
    """

    @checked
    def __init__(
        self,
        folder: str | Path | None = None,
        arrays: Sequence[PredictedArray] = ("coefficients", "landmarks"),
        meshes: MeshFormat | None = None,
        shard_size: Count = 1024,
    ) -> None:
        super().__init__("batch")
        for name in arrays:
            check_choice("arrays", name, PredictedArray)
        if meshes is not None:
            check_choice("meshes", meshes, MeshFormat)
        self.folder, self.arrays, self.meshes, self.shard_size = folder, tuple(arrays), meshes, shard_size
        self.written = 0
        self._waiting: list[dict[str, np.ndarray]] = []
        self._shard = 0
        self._place = Path()

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin in a folder without predictions."""
        self.written, self._waiting, self._shard = 0, [], 0
        given = self.folder or run_folder(trainer) / "predictions"
        self._place = Path(trainer.strategy.broadcast(str(given)))
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        taken = trainer.strategy.broadcast((self._place / INDEX).exists())
        if taken:
            raise MGCError(f"{self._place} has predictions already: name another `folder`, or remove them")
        if trainer.is_global_zero:
            network = cast(MGCModule, pl_module).network
            about = {
                "coefficients": {name: [part.start, part.stop] for name, part in network.layout.slices.items()},
                "face_model": network.config["face_model"],
                "image_size": network.image_size,
                "focal": network.focal,
                "landmarks": "iBUG 68, px of the crop, centre of the first pixel at .5",
                "verts": "mm, model frame: x to the viewer's right, y up, z toward the viewer; without pose",
                "arrays": list(self.arrays),
            }
            write_json(self._place / INDEX, about)
        trainer.strategy.barrier()

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Keep a batch until its shard is full; meshes are written at once."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        first = trainer.global_rank * 10**9 + self.written + sum(len(each["sample_id"]) for each in self._waiting)
        names = list(prediction["sample_id"]) or [f"sample{first + row}" for row in range(len(prediction["verts"]))]
        kept: dict[str, np.ndarray] = {each: prediction[each].float().cpu().numpy() for each in self.arrays}
        self._waiting.append(kept | {"sample_id": np.array(names, dtype=str)})
        if self.meshes:
            self._write_meshes(pl_module, names, prediction["verts"], prediction["coefficients"])
        if sum(len(each["sample_id"]) for each in self._waiting) >= self.shard_size:
            self._flush(trainer.global_rank)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write what is left, and say where everything is."""
        if self._waiting:
            self._flush(trainer.global_rank)
        total = trainer.strategy.reduce(
            torch.tensor(float(self.written), device=trainer.strategy.root_device), reduce_op="sum"
        )
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            meshes = f", meshes in {self._place / 'meshes'}" if self.meshes else ""
            print(f"{int(total)} samples: {self._place}{meshes}", flush=True)

    def _flush(self, rank: int) -> None:
        arrays = {name: np.concatenate([each[name] for each in self._waiting]) for name in self._waiting[0]}
        with atomic_path(self._place / f"{rank:03d}-{self._shard:05d}.npz") as temporary:
            np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
        self.written += len(arrays["sample_id"])
        self._shard += 1
        self._waiting = []

    def _write_meshes(
        self, pl_module: L.LightningModule, names: Sequence[str], verts: Tensor, coefficients: Tensor
    ) -> None:
        model = cast(MGCModule, pl_module).network.face_model
        albedo = model(FaceCoefficients.from_vector(coefficients.float(), model.layout)).albedo.cpu()
        faces = model.faces.cpu()
        for name, views, colors in zip(names, verts.float().cpu(), albedo, strict=True):
            stem = safe_name(name, "the data", nested=True)
            for view, points in enumerate(views):
                file = f"{stem}_{view}.{self.meshes}" if view else f"{stem}.{self.meshes}"
                write_mesh(self._place / "meshes" / file, points, faces, colors[view])
