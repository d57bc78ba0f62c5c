"""A network's predictions in the layout that the NoW organisers take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWImage
from mgc_lightning.evaluation.now.predictions import find_predictions, read_prediction, write_prediction
from mgc_lightning.metrics.now.landmarks import EYE_DISTANCE_MM
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.structures import AlignedPhotos


def neutral_faces(
    network: FaceNetwork, images: Float[Tensor, "B 3 S S"]
) -> tuple[Float[Tensor, "B N 3"], Float[Tensor, "B 7 3"]]:
    """Predict neutral meshes and their seven landmarks, mm, in full precision and evaluation mode."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            verts = network.face_model.shape(network.coefficients(images).identity)
            return verts, network.face_model.landmarks7(verts)
    finally:
        network.train(training)


def write_submission(
    predictor: Predictor,
    batches: Iterable[AlignedPhotos],
    images: list[NoWImage],
    folder: Path,
    device: torch.device | str = "cpu",
    expression: bool = False,
    suffix: str = ".obj",
) -> None:
    """Write the prediction of every photograph.

    Args:
        predictor: any checkpoint or export.
        batches: aligned crops; their index counts in `images`.
        images: the list.
        folder: of the submission.
        device: where the predictor runs.
        expression: keep the predicted expression; the benchmark expects neutral faces.
        suffix: of the meshes.
    """
    model = predictor.face_model
    for batch in batches:
        with torch.no_grad():
            coefficients = predictor.coefficients(batch.images.to(device))
            verts = model.shape(coefficients.identity, coefficients.expression if expression else None)
            landmarks = model.landmarks7(verts)
        for row, place in enumerate(batch.index.tolist()):
            mesh, marks = verts[row].cpu().numpy(), landmarks[row].cpu().numpy()
            write_prediction(folder, images[place], mesh, model.faces.cpu().numpy(), marks, suffix)


def validate_submission(folder: Path, images: list[NoWImage]) -> None:
    """Read a submission back as the organisers would: every image, seven landmarks, millimetres.

    Raises:
        MGCError: naming the first file that is missing, cannot be read, or whose landmarks are no face in mm.
    """
    found, missing = find_predictions(folder, images)
    if missing:
        raise MGCError(f"{folder}: {len(missing)} predictions are missing, the first is {missing[0].name}")
    for item in found:
        verts, _, landmarks = read_prediction(item)
        eyes = float(((landmarks[0] - landmarks[3]) ** 2).sum() ** 0.5)
        if not EYE_DISTANCE_MM[0] <= eyes <= EYE_DISTANCE_MM[1]:
            raise MGCError(f"{item.landmarks}: the outer eye corners are {eyes:.4g} mm apart: no face in millimetres")
        away = float(((verts[:, None] - landmarks[None]) ** 2).sum(-1).min(0).max() ** 0.5)
        if away > EYE_DISTANCE_MM[0] / 2:
            raise MGCError(f"{item.landmarks}: a landmark lies {away:.3g} mm from its mesh")
