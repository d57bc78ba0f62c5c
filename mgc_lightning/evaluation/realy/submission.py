"""A network's predictions in the layout that REALY's program takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.predictions import list_predictions, read_prediction
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.structures import AlignedPhotos


def scored_verts(
    face_model: FaceModel, coefficients: FaceCoefficients, neutral: bool = False
) -> Float[Tensor, "B N 3"]:
    """Decode the meshes that are scored, mm: as predicted, or without the expression.

    REALY's subjects are neutral; the published scores are of meshes as they were predicted.
    """
    return face_model.shape(coefficients.identity, None if neutral else coefficients.expression)


def write_predictions(
    predictor: Predictor,
    batches: Iterable[AlignedPhotos],
    folder: Path,
    device: torch.device | str = "cpu",
    neutral: bool = False,
    suffix: str = ".obj",
) -> None:
    """Write the face of every photograph as `<name>.obj`, mm.

    Args:
        predictor: any checkpoint or export.
        batches: aligned crops, by name.
        folder: of the predictions.
        device: where the predictor runs.
        neutral: leave the predicted expression away.
        suffix: of the meshes.
    """
    model = predictor.face_model
    for batch in batches:
        with torch.no_grad():
            coefficients = predictor.coefficients(batch.images.to(device))
            verts = scored_verts(model, coefficients, neutral)
        for name, mesh in zip(batch.names, verts, strict=True):
            write_mesh(folder / f"{name}{suffix}", mesh, model.faces)


def validate_predictions(folder: Path, names: list[str], view: str, topology: Topology) -> None:
    """Read predictions back as the benchmark does: every photograph, in the topology that has the keypoints.

    Raises:
        MGCError: naming the first file that is missing or does not fit.
    """
    found = {item.name: item.path for item in list_predictions(folder, view)}
    missing = [name for name in names if name not in found]
    if missing:
        raise MGCError(f"{folder}: {len(missing)} predictions are missing, the first is {missing[0]}")
    for name in names:
        read_prediction(found[name], topology)
