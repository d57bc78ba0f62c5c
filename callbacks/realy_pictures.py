"""Pictures of REALY: scan regions coloured by their errors, the best and the worst mesh."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from callbacks.benchmark import predict
from callbacks.handing import hand_to_wandb
from datamodules.realy import REALYDataModule
from mgc_lightning.evaluation.realy.error_map import draw_error_map
from mgc_lightning.evaluation.realy.results import results_json
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.files.text import write_json
from mgc_lightning.metrics.realy.evaluate import PredictionErrors
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import REALYScores
from mgc_lightning.pictures.drawing import save_png
from mgc_lightning.training.module import MGCModule


def write_pictures(
    folder: Path, module: MGCModule, data: REALYDataModule, scores: REALYScores, shown: dict[str, PredictionErrors]
) -> None:
    """Write scores, an error map for each of some predictions, and the best and the worst mesh.

    Args:
        folder: made if it is not there.
        module: whose network predicts the meshes again.
        data: the photographs.
        scores: of all images.
        shown: errors of those that are drawn, by name.
    """
    write_json(folder / "scores.json", results_json(scores, []))
    for name, errors in shown.items():
        save_png(folder / f"{name}.png", draw_error_map(errors))
    ranked = sorted(scores.predictions, key=lambda prediction: float(prediction.errors.mean()))
    for kind, prediction in (("best", ranked[0]), ("worst", ranked[-1])):
        crop = data.photos[data.names.index(prediction.name)].images.to(module.device)
        mesh = module.network.face_model(predict(module.network, crop))
        write_mesh(folder / f"{kind}.glb", mesh.verts[0], mesh.faces, mesh.albedo[0])


def log_pictures(
    trainer: L.Trainer, folder: Path, data: REALYDataModule, scores: REALYScores, shown: dict[str, PredictionErrors]
) -> None:
    """Log what `write_pictures` wrote to W&B; other loggers take numbers only."""
    hand_to_wandb(trainer, f"the pictures of REALY ({folder})", lambda: _for_wandb(folder, data, scores, shown))


def _for_wandb(
    folder: Path, data: REALYDataModule, scores: REALYScores, shown: dict[str, PredictionErrors]
) -> dict[str, object]:
    import wandb

    table = wandb.Table(columns=["name", *REGIONS, "all", "reflected", "photograph", "error map"])
    scored = {prediction.name: prediction for prediction in scores.predictions}
    for name in shown:
        photograph = data.photos.photo_file(data.names.index(name))
        errors = scored[name].errors
        pictures = wandb.Image(str(photograph)), wandb.Image(str(folder / f"{name}.png"))
        table.add_data(name, *errors.tolist(), float(errors.mean()), scored[name].reflected, *pictures)
    return {
        "realy/images": table,
        "realy/best": wandb.Object3D(str(folder / "best.glb")),
        "realy/worst": wandb.Object3D(str(folder / "worst.glb")),
    }
