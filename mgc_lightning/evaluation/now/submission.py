"""A network's predictions in the layout that the NoW organisers take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage
from mgc_lightning.evaluation.now.photos import NoWPhotos
from mgc_lightning.evaluation.now.predictions import match_predictions, read_prediction, write_prediction
from mgc_lightning.evaluation.settings import NoWSubmissionSettings
from mgc_lightning.evaluation.submission import Submission, open_dataset, predict, scored_verts
from mgc_lightning.metrics.now.landmarks import EYE_DISTANCE_MM
from mgc_lightning.networks.predictor import Predictor, as_predictor
from mgc_lightning.networks.settings import NetworkSource

DEFAULTS = NoWSubmissionSettings()


def submit_now(
    network: Predictor | NetworkSource | str | os.PathLike[str] | None,
    dataset: NoWDataset | str | Path,
    output: str | Path,
    settings: NoWSubmissionSettings = DEFAULTS,
) -> Submission:
    """Write the mesh and the seven landmarks of every photograph, mm, and read them back.

    Args:
        network: a checkpoint or an export, by its path or with its face model and device; or what is loaded already;
            if None, the network that comes with the package.
        dataset: folder with the image list, or what is opened already.
        output: folder of the submission.
        settings: which photographs, and what is written of them.

    Raises:
        MGCError: if the network cannot be used, a photograph or its box is missing, or what was written is no face
            in millimetres.

    Example:
        By the network that comes with the package, on a set that `mgc synthesize now --output now` has written.

        >>> settings = NoWSubmissionSettings(split="validation")
        >>> submission = submit_now(None, Path("now"), Path("mine"), settings)  # doctest: +SKIP
        >>> len(submission.names), submission.neutral  # doctest: +SKIP
        (40, True)
    """
    output = Path(output)
    predictor = as_predictor(network)
    dataset = open_dataset(NoWDataset, dataset, photos=settings.photos)
    images, model = dataset.images(settings.split), predictor.face_model
    crops = NoWPhotos(dataset, images, model, predictor.image_size, settings.box_scale)
    faces = model.faces.cpu().numpy()
    for batch, coefficients in predict(predictor, crops, settings.batch_size, "NoW"):
        verts = scored_verts(model, coefficients, settings.neutral)
        for place, mesh, marks in zip(batch.index.tolist(), verts, model.landmarks7(verts), strict=True):
            write_prediction(
                output, images[place], mesh.cpu().numpy(), faces, marks.cpu().numpy(), f".{settings.format}"
            )
    validate_submission(output, images)
    return Submission(output, crops.names, settings.neutral)


def validate_submission(folder: str | Path, images: Sequence[NoWImage]) -> None:
    """Read a submission back as the organisers would: every image, seven landmarks, millimetres.

    Raises:
        MGCError: naming the first file that is missing, cannot be read, or whose landmarks are no face in mm.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import load_face_model
        >>> model, folder = load_face_model(), Path(tempfile.mkdtemp())
        >>> image = NoWImage("anna", "selfie", "1.jpg", "anna/selfie/1.jpg")
        >>> write_prediction(folder, image, model.mean, model.faces, model.landmarks7(model.mean))
        >>> validate_submission(folder, [image])  # a face in mm
    """
    found, missing = match_predictions(folder, images)
    if missing:
        raise MGCError(f"{folder}: {len(missing)} predictions are missing, the first is {missing[0]}")
    for item in found:
        verts, _, landmarks = read_prediction(item)
        eyes = float(((landmarks[0] - landmarks[3]) ** 2).sum() ** 0.5)
        if not EYE_DISTANCE_MM[0] <= eyes <= EYE_DISTANCE_MM[1]:
            raise MGCError(f"{item.landmarks}: the outer eye corners are {eyes:.4g} mm apart: no face in millimetres")
        away = float(((verts[:, None] - landmarks[None]) ** 2).sum(-1).min(0).max() ** 0.5)
        if away > EYE_DISTANCE_MM[0] / 2:
            raise MGCError(f"{item.landmarks}: a landmark lies {away:.3g} mm from its mesh")
