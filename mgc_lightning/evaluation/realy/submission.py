"""A network's predictions in the layout that REALY's program takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.evaluation.realy.photos import REALYPhotos
from mgc_lightning.evaluation.realy.predictions import list_predictions, read_prediction, write_prediction
from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
from mgc_lightning.evaluation.settings import REALYSubmissionSettings
from mgc_lightning.evaluation.submission import Submission, open_dataset, predict, scored_verts
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.networks.predictor import Predictor, as_predictor
from mgc_lightning.networks.settings import NetworkSource

DEFAULTS = REALYSubmissionSettings()


def submit_realy(
    network: Predictor | NetworkSource | str | os.PathLike[str] | None,
    dataset: REALYDataset | str | Path,
    output: str | Path,
    topology: Topology | str | Path | None = None,
    settings: REALYSubmissionSettings = DEFAULTS,
) -> Submission:
    """Write the mesh of every photograph as `<name>.obj`, mm, and read them back.

    Args:
        network: a checkpoint or an export, by its path or with its face model and device; or what is loaded already;
            if None, the network that comes with the package.
        dataset: folder of the data set, or what is opened already.
        output: folder of the predictions.
        topology: of the meshes, see `load_topology`; that of the face model if not given.
        settings: which photographs, and what is written of them.

    Raises:
        MGCError: if the network cannot be used, a photograph or its landmarks are missing, or the topology has no
            keypoints or is another one.

    Example:
        By the network that comes with the package, on a set that `mgc synthesize realy --output realy` has written.

        >>> submission = submit_realy(None, Path("realy"), Path("mine"))  # doctest: +SKIP
        >>> len(submission.names), submission.topology  # doctest: +SKIP
        (10, 'makehuman')
    """
    output = Path(output)
    predictor = as_predictor(network)
    model = predictor.face_model
    if topology is None:
        topology = topology_of(model)
    elif not isinstance(topology, Topology):
        topology = load_topology(topology)
    dataset = open_dataset(REALYDataset, dataset, photos=settings.photos, landmarks=settings.landmarks)
    images = dataset.images(settings.view)
    crops = REALYPhotos(dataset, images, model, predictor.image_size)
    faces = model.faces.cpu().numpy()
    for batch, coefficients in predict(predictor, crops, settings.batch_size, "REALY"):
        verts = scored_verts(model, coefficients, settings.neutral)
        for place, mesh in zip(batch.index.tolist(), verts, strict=True):
            write_prediction(output, images[place], mesh.cpu().numpy(), faces, f".{settings.format}")
    validate_submission(output, images, topology)
    return Submission(output, crops.names, settings.neutral, topology.name)


def validate_submission(folder: str | Path, images: Sequence[REALYImage], topology: Topology) -> None:
    """Read predictions back as the benchmark does: every photograph, in the topology that has the keypoints.

    Raises:
        MGCError: naming the first file that is missing or does not fit.
    """
    found = {prediction.image: prediction for prediction in list_predictions(folder)}
    missing = [image.name for image in images if image not in found]
    if missing:
        raise MGCError(f"{folder}: {len(missing)} predictions are missing, the first is {missing[0]}")
    for image in images:
        read_prediction(found[image], topology)
