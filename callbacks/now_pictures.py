"""Pictures of NoW: photographs beside the error on the predicted face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from callbacks.benchmark import predict
from callbacks.handing import hand_to_wandb
from datamodules.now import NoWDataModule
from mgc_lightning.evaluation.now.curve import draw_curves, write_curve_csv
from mgc_lightning.evaluation.now.error_map import draw_error_map, vertex_errors
from mgc_lightning.evaluation.now.results import results_json
from mgc_lightning.evaluation.submission import scored_verts
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.files.text import write_json
from mgc_lightning.metrics.now.evaluate import now_error
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.scores import NoWScores
from mgc_lightning.pictures.drawing import Picture, save_png, to_picture
from mgc_lightning.pictures.error_ramp import color_bar, error_colors
from mgc_lightning.pictures.sheets import sheet
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.training.module import MGCModule

TILE = 224


@dataclass(frozen=True)
class FacePicture:
    """Hold what is shown of one image.

    Attributes:
        name: SUBJECT/CHALLENGE/FILE.
        median: mm.
        photograph: the crop that the network saw.
        error_map: the predicted face, painted with its error.
        verts: (N, 3) mm.
        faces: (F, 3).
        colors: (N, 3) of the error.

    Example:
        >>> import numpy as np
        >>> grey = np.full((TILE, TILE, 3), 128, np.uint8)
        >>> nothing = torch.zeros(0, 3)
        >>> face = FacePicture("anna/selfie/1.jpg", 1.31, grey, grey, nothing, nothing.long(), nothing)
        >>> picture_sheet([face], error_limit=5.0).shape
        (282, 688, 3)
    """

    name: str
    median: float
    photograph: Picture
    error_map: UInt8[NDArray, "h w 3"]
    verts: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    colors: Float[Tensor, "N 3"]

    def write_mesh(self, path: Path) -> None:
        """Write the mesh with its error as colours."""
        write_mesh(path, self.verts, self.faces, self.colors)


def choose(medians: list[float], number: int) -> list[int]:
    """Choose images by rank of their error, best to worst, both ends included.

    Example:
        >>> choose([3.0, 1.0, 2.0, 5.0, 4.0], 3)
        [1, 0, 3]
    """
    order = np.argsort(medians, kind="stable")
    ranks = np.linspace(0, len(order) - 1, max(2, min(number, len(order)))).round().astype(int)
    return [int(order[rank]) for rank in dict.fromkeys(ranks.tolist())]


def picture_faces(
    module: MGCModule,
    data: NoWDataModule,
    scores: NoWScores,
    number: int,
    unit: Unit | None,
    neutral: bool,
    error_limit: float,
) -> list[FacePicture]:
    """Predict and score some images again, for pictures; ordered from the best to the worst.

    Args:
        module: whose network predicts.
        data: the photographs.
        scores: of all images; medians decide which are shown.
        number: of images.
        unit: of the metrical benchmark, or None.
        neutral: leave the predicted expression away.
        error_limit: mm that get the last colour.
    """
    places = {name: place for place, name in enumerate(data.names)}
    medians = [prediction.error.median for prediction in scores.predictions]
    model = module.network.face_model
    pictures = []
    for chosen in choose(medians, number):
        scored = scores.predictions[chosen]
        place = places[scored.name]
        photo = data.photos[place].images
        shape = scored_verts(model, predict(module.network, photo.to(module.device)), neutral)
        verts, landmarks = shape[0].cpu(), model.landmarks7(shape)[0].cpu()
        scan, faces = data.scan(place), model.faces.cpu()
        error = now_error(scan, verts.numpy(), faces.numpy(), landmarks.numpy(), unit)
        errors = torch.from_numpy(vertex_errors(scan, error, verts.numpy())).float()
        colors = error_colors(errors, error_limit)
        renderer = FaceRenderer(module.renderer.rasterizer)
        picture = draw_error_map(verts.to(module.device), colors, model, renderer, TILE)
        pictures.append(FacePicture(scored.name, medians[chosen], to_picture(photo[0]), picture, verts, faces, colors))
    return pictures


def picture_sheet(pictures: list[FacePicture], error_limit: float) -> Picture:
    """Arrange photographs and error maps, a row a face."""
    rows: list[list[Picture | None]] = [[face.photograph, face.error_map] for face in pictures]
    rows[0].append(color_bar(error_limit, height=TILE))
    names = [f"{face.median:.2f} mm  {face.name}" for face in pictures]
    return sheet(rows, ["photograph", "error, mm"], names, tile=TILE)


def write_pictures(folder: Path, scores: NoWScores, faces: list[FacePicture], error_limit: float) -> None:
    """Write scores, curve, sheet, and the best and the worst mesh.

    Args:
        folder: made if it is not there.
        scores: of all images.
        faces: from the best to the worst.
        error_limit: mm that get the last colour.
    """
    write_json(folder / "scores.json", results_json(scores, []))
    write_curve_csv(folder / "cumulative_error.csv", scores.pooled)
    draw_curves(folder / "cumulative_error.png", {"NoW": scores.pooled})
    save_png(folder / "faces.png", picture_sheet(faces, error_limit))
    faces[0].write_mesh(folder / "best.glb")
    faces[-1].write_mesh(folder / "worst.glb")


def log_pictures(trainer: L.Trainer, folder: Path, scores: NoWScores, faces: list[FacePicture]) -> None:
    """Log what `write_pictures` wrote to W&B and TensorBoard; other loggers take numbers only."""
    hand_to_wandb(trainer, f"the pictures of NoW ({folder})", lambda: _for_wandb(folder, scores, faces))
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            for name in ("cumulative_error", "faces"):
                picture = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
                logger.experiment.add_image(f"now/{name}", picture, trainer.global_step, dataformats="HWC")


def _for_wandb(folder: Path, scores: NoWScores, faces: list[FacePicture]) -> dict[str, object]:
    import wandb

    pictures = {face.name: face for face in faces}
    table = wandb.Table(columns=["name", "median", "mean", "std", "distances", "reflected", "photograph", "error map"])
    for prediction in scores.predictions:
        face, error = pictures.get(prediction.name), prediction.error
        shown = [None, None] if face is None else [wandb.Image(face.photograph), wandb.Image(face.error_map)]
        table.add_data(prediction.name, error.median, error.mean, error.std, error.n, prediction.reflected, *shown)
    return {
        "now/cumulative_error": wandb.Image(str(folder / "cumulative_error.png")),
        "now/faces": wandb.Image(str(folder / "faces.png")),
        "now/images": table,
        "now/best": wandb.Object3D(str(folder / "best.glb")),
        "now/worst": wandb.Object3D(str(folder / "worst.glb")),
    }
