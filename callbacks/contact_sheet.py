"""Pictures of validation faces while training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import lightning as L
import torch

from callbacks.handing import hand_picture, handed_views
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count
from mgc_lightning.pictures.contact_sheet import SheetRow, draw_contact_sheet
from mgc_lightning.pictures.drawing import save_png
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.logged_steps import due
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.uploads import optional_file


class ContactSheet(L.Callback):
    """Draw the first validation faces: input, overlay, geometry, another view, landmarks, error map.

    Writes `contact_sheet.png` into the run's folder and logs it to W&B and TensorBoard. Rank zero only.

    Args:
        faces: rows of the sheet.
        every: validations between two sheets; the last one is always drawn.
        tile: side of a picture in px.

    Example:
        >>> trainer = L.Trainer(logger=False, enable_checkpointing=False, callbacks=[ContactSheet(faces=4, every=5)])
    """

    @checked
    def __init__(self, faces: Count = 6, every: Count = 1, tile: Count = 192) -> None:
        self.faces = faces
        self.every = every
        self.tile = tile
        self.artifacts: dict[str, Path] = {}
        self._rows: list[SheetRow] = []
        self._validations = 0

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: FaceTriplet,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the targets of the first samples, as the validation has reconstructed them."""
        views = handed_views(outputs)
        if trainer.sanity_checking or not trainer.is_global_zero or views is None or len(self._rows) >= self.faces:
            return
        for index in range(min(len(batch.images), self.faces - len(self._rows))):
            truth = None if batch.truth is None else batch.truth.verts_posed[index, 0]
            self._rows.append(
                SheetRow(
                    image=batch.images[index, 0].float(),
                    coefficients=views.coefficients.map(lambda c, i=index: c[i, 0]),
                    K=batch.K[index, 0],
                    landmarks=batch.landmarks[index, 0],
                    truth=truth,
                    name=batch.sample_id[index],
                )
            )

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw, save and log."""
        rows, self._rows = self._rows, []
        if not rows or trainer.fast_dev_run:  # type: ignore[attr-defined]  # a dry run leaves nothing behind
            return
        self._validations += 1
        if not due(trainer, self._validations - 1, self.every):
            return
        module = cast(MGCModule, pl_module)
        with torch.no_grad():
            picture = draw_contact_sheet(rows, module.network.face_model, module.renderer, self.tile)
        with optional_file():
            path = save_png(run_folder(trainer) / "contact_sheet.png", picture)
            self.artifacts = {"contact sheet": path}
            hand_picture(trainer, "val/contact_sheet", path)
