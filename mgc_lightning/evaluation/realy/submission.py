"""A network's predictions in the layout that REALY's program takes."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.evaluation.realy.photos import REALYPhotos
from mgc_lightning.evaluation.realy.predictions import list_predictions, read_prediction, write_prediction
from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
from mgc_lightning.evaluation.settings import MeshFormat, REALYView
from mgc_lightning.evaluation.submission import Submission, as_predictor, predict, scored_verts
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.networks.predictor import Predictor


def submit_realy(
    checkpoint: Predictor | str | os.PathLike[str],
    dataset: REALYDataset | Path,
    output: Path,
    *,
    photos: Path | None = None,
    landmarks: Path | None = None,
    view: REALYView = "frontal",
    topology: Topology | str | Path | None = None,
    neutral: bool = False,
    format: MeshFormat = "obj",
    batch_size: int = 16,
    device: torch.device | str = "cpu",
) -> Submission:
    """Write the mesh of every photograph as `<name>.obj`, mm, and read them back.

    Args:
        checkpoint: a checkpoint or an export.
        dataset: folder of the data set.
        output: folder of the predictions.
        photos: folder of the photographs, see `REALYDataset`.
        landmarks: folder of their landmarks or boxes, see `REALYDataset`.
        view: `frontal` or `side`.
        topology: that has the keypoints; that of the network's face model if not given.
        neutral: leave the predicted expression away; published scores include it.
        format: of the meshes.
        batch_size: photographs at a time.
        device: where the network runs.

    Raises:
        MGCError: if the checkpoint cannot be used, a photograph or its landmarks are missing, or the topology has no
            keypoints or is another one.
    """
    predictor = as_predictor(checkpoint, device)
    model = predictor.face_model
    if not isinstance(topology, Topology):
        topology = load_topology(topology) if topology is not None else topology_of(model)
    dataset = dataset if isinstance(dataset, REALYDataset) else REALYDataset(dataset, photos, landmarks)
    images = dataset.images(view)
    crops = REALYPhotos(dataset, images, model, predictor.image_size)
    faces = model.faces.cpu().numpy()
    for batch, coefficients in predict(predictor, crops, batch_size, device, "REALY"):
        verts = scored_verts(model, coefficients, neutral)
        for place, mesh in zip(batch.index.tolist(), verts, strict=True):
            write_prediction(output, images[place], mesh.cpu().numpy(), faces, f".{format}")
    validate_submission(output, images, view, topology)
    return Submission(output, crops.names, neutral, topology.name)


def validate_submission(folder: Path, images: list[REALYImage], view: REALYView, topology: Topology) -> None:
    """Read predictions back as the benchmark does: every photograph, in the topology that has the keypoints.

    Raises:
        MGCError: naming the first file that is missing or does not fit.
    """
    found = {prediction.image: prediction for prediction in list_predictions(folder, view)}
    missing = [image.name for image in images if image not in found]
    if missing:
        raise MGCError(f"{folder}: {len(missing)} predictions are missing, the first is {missing[0]}")
    for image in images:
        read_prediction(found[image], topology)
