"""A synthetic NoW data set in the official layouts, from a face model: no licensed data, known ground truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from mgc_lightning import __version__
from mgc_lightning.evaluation.benchmark import progress
from mgc_lightning.evaluation.now.boxes import write_detected_box
from mgc_lightning.evaluation.now.dataset import BOXES, LANDMARKS, PHOTO_ROOTS, PHOTOS, SCANS, NoWImage
from mgc_lightning.evaluation.now.predictions import write_prediction
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.geometry.camera import DEFAULT_FOCAL, project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.metrics.now.landmarks import LANDMARK_NAMES
from mgc_lightning.metrics.now.names import CHALLENGES
from mgc_lightning.synthetic.generator import TripletGenerator
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.scanner import scan_head
from mgc_lightning.synthetic.set_files import GROUND_TRUTH, MEAN_FACE, require_new, write_photo, write_text
from mgc_lightning.synthetic.set_settings import NoWSetSettings
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.streams import Split, stream

SPLIT: Split = "predict"
"""Stream of random numbers, disjoint from those of training and validation."""
SELFIE_FOCAL = 1200.0
"""px at 224 px: an arm's length away, with the perspective that comes with it."""
LANDMARK_NOISE_MM = 0.3

_BASE = SyntheticSettings(
    linked=0.0, unlinked=1.0, expression=0.0, occluders=0.0, yaw_limit=50.0, pitch_sigma=4.0, camera_noise=0.7
)
CHALLENGE_SETTINGS = {
    "multiview_neutral": dataclasses.replace(_BASE, linked=1.0, unlinked=0.0),
    "multiview_expressions": dataclasses.replace(_BASE, expression=1.0),
    "multiview_occlusions": dataclasses.replace(_BASE, occluders=1.0),
    "selfie": dataclasses.replace(_BASE, yaw_limit=20.0),
}


@dataclass(frozen=True)
class Person:
    """Hold a synthetic person: identity (I,) in standard deviations, complexion (C,)."""

    name: str
    index: int
    identity: Float[Tensor, " I"]
    complexion: Float[Tensor, " C"]


def write_now_set(folder: str | Path, face_model: FaceModel, settings: NoWSetSettings) -> None:
    """Write image list, scans, landmarks, photographs, boxes, and two folders of predictions.

    The layout is the official one: `imagepathsvalidation.txt`, `scans/`, `scans_lmks_onlypp/`, and
    `NoW_Dataset/final_release_version/` with `iphone_pictures/` and `detected_face/`. Beside it lie
    `predictions/ground_truth/` and `predictions/mean_face/`, and a README.txt with seed and licence.

    Args:
        folder: new or empty.
        face_model: what the people are made of, preferably its finest level.
        settings: of the set.

    Raises:
        MGCError: if the folder has files already.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> write_now_set(Path("now"), load_face_model(level=1), NoWSetSettings(subjects=2))  # doctest: +SKIP
    """
    folder = Path(folder)
    require_new(folder)
    generators = {
        focal: TripletGenerator(face_model, settings.image_size, focal).requires_grad_(False)
        for focal in (DEFAULT_FOCAL, SELFIE_FOCAL)
    }
    lines: list[str] = []
    for index in progress(range(settings.subjects), "People"):
        person = draw_person(face_model, generators[DEFAULT_FOCAL], settings.seed, index)
        _write_scan(folder, face_model, person, settings)
        for challenge in CHALLENGES:
            generator = generators[SELFIE_FOCAL if challenge == "selfie" else DEFAULT_FOCAL]
            images = [
                NoWImage(person.name, challenge, f"IMG_{1000 + len(lines) + number:04d}.jpg", "")
                for number in range(settings.images)
            ]
            _write_photos(folder, images, person, generator, settings)
            _write_predictions(folder, images, face_model, person)
            lines += [image.name for image in images]
    write_text(folder / "imagepathsvalidation.txt", "\n".join(lines) + "\n")
    write_text(folder / "README.txt", _readme(face_model, settings, len(lines)))


def draw_person(face_model: FaceModel, generator: TripletGenerator, seed: int, index: int) -> Person:
    """Draw the person of a number; the same seed and number give the same person."""
    latents = LatentSampler(face_model, generator.complexion, _BASE, seed, views=1).draw(SPLIT, index)
    return Person(f"SYNTH_{index + 1:04d}", index, latents["identity"][0], latents["complexion"][0])


def _write_scan(folder: Path, face_model: FaceModel, person: Person, settings: NoWSetSettings) -> None:
    rng = stream(settings.seed, SPLIT, person.index, "now scan")
    neutral = face_model.shape(person.identity)
    landmarks = face_model.landmarks7(neutral).double().numpy() + rng.normal(0, LANDMARK_NOISE_MM, (7, 3))
    scan = scan_head(neutral.double().numpy(), face_model.outer_faces().numpy(), rng, settings.scanner)
    # A scanner has its own frame.
    R = Rotation.from_euler("xyz", rng.normal(0, 6, 3), degrees=True).as_matrix()
    t = rng.uniform(-60, 60, 3)
    write_mesh(folder / SCANS / person.name / f"{person.name}.obj", scan.verts @ R.T + t, scan.faces)
    write_text(
        folder / LANDMARKS / person.name / f"{person.name}_picked_points.pp", _picked_points(landmarks @ R.T + t)
    )


def _write_photos(
    folder: Path, images: list[NoWImage], person: Person, generator: TripletGenerator, settings: NoWSetSettings
) -> None:
    challenge = images[0].challenge
    sampler = LatentSampler(
        generator.face_model, generator.complexion, CHALLENGE_SETTINGS[challenge], settings.seed, len(images)
    )
    address = person.index * len(CHALLENGES) + CHALLENGES.index(challenge)
    latents = sampler.draw(SPLIT, address)
    views = len(images)
    rng = stream(settings.seed, SPLIT, address, "now framing")
    # A photograph shows more than the face: smaller than in an aligned crop, and anywhere near the middle.
    framing = np.stack(
        [
            np.log(rng.uniform(0.5, 0.72, views)),
            np.deg2rad(rng.normal(0, 4, views)),
            rng.normal(0, 0.04, views),
            rng.normal(0, 0.04, views),
        ],
        axis=1,
    )
    latents |= {
        "identity": person.identity.expand(views, -1),
        "complexion": person.complexion.expand(views, -1),
        "misalignment": torch.from_numpy(framing.astype(np.float32)),
    }
    batch = generator({name: latent[None] for name, latent in latents.items()})
    assert batch.truth is not None
    face = batch.truth.verts_posed[0][:, generator.face_model.face_mask]
    pixels = project(transform_points(batch.truth.T_cam_model[0], face), generator.K)
    root = folder / PHOTO_ROOTS[-1]
    for number, image in enumerate(images):
        write_photo(root / PHOTOS / image.name, batch.images[0, number])
        write_detected_box(root / BOXES / f"{image.stem}.npy", _detected(pixels[number], rng))


def _detected(pixels: Float[Tensor, "N 2"], rng: np.random.Generator) -> Float[NDArray, " 4"]:
    """Bound the face as a detector does: two percent off on every side."""
    box = torch.cat([pixels.amin(0), pixels.amax(0)]).double().numpy()
    size = np.tile(box[2:] - box[:2], 2)
    return box + rng.normal(0, 0.02, 4) * size


def _write_predictions(folder: Path, images: list[NoWImage], face_model: FaceModel, person: Person) -> None:
    for name, verts in ((GROUND_TRUTH, face_model.shape(person.identity)), (MEAN_FACE, face_model.mean)):
        for image in images:
            write_prediction(
                folder / "predictions" / name,
                image,
                verts.numpy(),
                face_model.faces.numpy(),
                face_model.landmarks7(verts).numpy(),
                suffix=".ply",
            )


def _picked_points(points: Float[NDArray, "7 3"]) -> str:
    head = [
        "<!DOCTYPE PickedPoints>",
        "<PickedPoints>",
        " <DocumentData>",
        '  <DateTime date="2000-01-01" time="00:00:00"/>',
        '  <User name="synthetic"/>',
        '  <DataFileName name="scan.obj"/>',
        '  <templateName name="now"/>',
        " </DocumentData>",
    ]
    names = [name.replace(" ", "_") for name in LANDMARK_NAMES]
    rows = [
        f' <point x="{x:.9g}" y="{y:.9g}" z="{z:.9g}" name="{name}" active="1"/>'
        for (x, y, z), name in zip(points.astype(np.float32), names, strict=True)
    ]
    return "\n".join([*head, *rows, "</PickedPoints>", ""])


def _readme(face_model: FaceModel, settings: NoWSetSettings, count: int) -> str:
    return f"""Synthetic NoW data set

Made by mgc-lightning {__version__} (`mgc synthesize now`), not by the NoW organisers; it shows no real person.
Face model: {face_model.name}, level {face_model.level}, fingerprint {face_model.fingerprint}
Licence of the face model and of this data: {face_model.licence}
Seed: {settings.seed}; people: {settings.subjects}; photographs: {count}; {settings.image_size} px
Scanner: {settings.scanner}
Scan landmarks: noise of {LANDMARK_NOISE_MM} mm. Boxes: noise of 2 percent.

predictions/{GROUND_TRUTH} holds the true neutral meshes, predictions/{MEAN_FACE} the mean face for every image:
  mgc benchmark now --dataset SET --predictions SET/predictions/{GROUND_TRUTH} --output {GROUND_TRUTH}.json
SET is this folder; results are not written into it.
"""
