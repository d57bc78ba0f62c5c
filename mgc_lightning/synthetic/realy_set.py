"""A synthetic data set in REALY's official layout, from the embedded face model: no licence is needed to try it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mgc_lightning.evaluation.benchmark import progress
from mgc_lightning.evaluation.realy.dataset import KEYPOINTS, LANDMARKS, PHOTOS, REGION_SCANS, SCALES, REALYImage
from mgc_lightning.evaluation.realy.predictions import write_prediction
from mgc_lightning.evaluation.realy.topology import topology_of
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.complexion import make_complexion
from mgc_lightning.synthetic.generator import TripletGenerator
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.realy_regions import cut_regions
from mgc_lightning.synthetic.scanner import scan_head
from mgc_lightning.synthetic.set_files import GROUND_TRUTH, MEAN_FACE, require_new, write_photo, write_text
from mgc_lightning.synthetic.set_settings import REALYSetSettings
from mgc_lightning.synthetic.settings import SyntheticSettings

FIRST_INDEX = 1_000_000
"""Subjects come from the test stream of synthetic triplets, beyond any test set; training never sees them."""
SCALE_RANGE = (8.0, 10.0)
"""Millimetres per model unit; REALY's own are 6.5 to 10.2."""
_PEOPLE = SyntheticSettings(linked=0.0, unlinked=1.0, expression=0.0, occluders=0.0, landmark_noise=1.0)
_README = """A synthetic data set in the layout of REALY, written by `mgc synthesize realy`.

seed {seed}, {subjects} subjects, {views} side views each
scanner: {spacing} mm between points, {noise} mm noise, {waves} mm waves, {holes} holes a scan

{keypoints}/<subject>.obj         85 keypoints, model units
{regions}/<subject>/<region>.obj  scan regions nose, mouth, forehead, cheek, model units
{scale}                    mm per model unit, line 1 for subject 1
{images}/<subject>[_<view>].jpg            neutral faces: frontal, and side views
{landmarks}/<subject>[_<view>].txt              68 landmarks in px of each image, with a detector's noise
predictions/ground_truth, predictions/mean_face   meshes for mgc benchmark realy --topology {topology}

The people do not exist: they are random faces of a face model. The data set is for tests and for trying the tools; its
scores say nothing about real faces.
Face model: {model}, level {level}, fingerprint {fingerprint}
Licence of the face model and of this data: {licence}
"""


def write_realy_set(folder: str | Path, face_model: FaceModel, settings: REALYSetSettings) -> None:
    """Write keypoints, scan regions, scales, photographs with landmarks, and two folders of predictions.

    The layout is the official one: `REALY_HIFI3D_keypoints/`, `REALY_scan_region/`, `metrical_scale.txt` and
    `REALY_image/`. Beside it lie `REALY_landmarks/`, `predictions/ground_truth/` and `predictions/mean_face/`, and a
    README.txt with seed and licence.

    Args:
        folder: new or empty.
        face_model: what the people are made of; one whose keypoints are shipped, preferably its finest level.
        settings: of the set.

    Raises:
        MGCError: if the folder has files already, or the face model has no keypoints.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> write_realy_set(Path("realy"), load_face_model(level=1), REALYSetSettings(subjects=2))  # doctest: +SKIP
    """
    folder = Path(folder)
    require_new(folder)
    topology = topology_of(face_model)
    people = _People(face_model, settings)
    scales = np.random.default_rng([settings.seed, 0]).uniform(*SCALE_RANGE, settings.subjects)
    for subject in progress(range(1, settings.subjects + 1), "People"):
        verts = people.render(folder, subject)
        _write_scan(folder, subject, verts, face_model, topology, float(scales[subject - 1]), settings)
        for name, mesh in ((GROUND_TRUTH, verts), (MEAN_FACE, face_model.mean)):
            write_prediction(folder / "predictions" / name, REALYImage(str(subject)), mesh, face_model.faces)
    write_text(folder / SCALES, "".join(f"{scale:.6f}\n" for scale in scales))
    write_text(folder / "README.txt", _readme(face_model, settings, topology))


class _People:
    """Render the images of subjects and give their shapes."""

    def __init__(self, model: FaceModel, settings: REALYSetSettings) -> None:
        complexion = make_complexion(model)
        self.views = settings.views
        self.seed = settings.seed
        self.sampler = LatentSampler(model, complexion, _PEOPLE, settings.seed, views=settings.views + 1)
        self.generator = TripletGenerator(model, settings.image_size, complexion=complexion)

    def render(self, output: Path, subject: int) -> Tensor:
        """Write the images and landmarks of a subject; give its neutral vertices (N, 3) in mm."""
        latents = self.sampler.draw("test", FIRST_INDEX + subject)
        rng = np.random.default_rng([self.seed, subject, 1])
        sides = np.where(np.arange(self.views) % 2, 1.0, -1.0) * rng.uniform(20, 60, self.views)
        latents["yaw"] = torch.tensor([rng.normal(0, 4), *sides], dtype=torch.float32)
        faces = self.generator({name: value[None] for name, value in latents.items()}, [str(subject)])
        for view in range(self.views + 1):
            _write_image(output, f"{subject}_{view}" if view else str(subject), faces, view)
        assert faces.truth is not None
        return faces.truth.verts_neutral[0, 0]


def _write_image(output: Path, name: str, faces: FaceTriplet, view: int) -> None:
    write_photo(output / PHOTOS / f"{name}.jpg", faces.images[0, view])
    rows = "".join(f"{u:.2f} {v:.2f}\n" for u, v in faces.landmarks[0, view].tolist())
    write_text(output / LANDMARKS / f"{name}.txt", rows)


def _write_scan(
    output: Path,
    subject: int,
    verts: Tensor,
    model: FaceModel,
    topology: Topology,
    scale: float,
    settings: REALYSetSettings,
) -> None:
    rng = np.random.default_rng([settings.seed, subject, 2])
    array, landmarks = verts.double().numpy(), model.landmarks68(verts).double().numpy()
    scan = scan_head(array, model.outer_faces().numpy(), rng, settings.scanner)
    keypoints = topology.keypoints(array) / scale
    _write_points(output / KEYPOINTS / f"{subject}.obj", keypoints)
    for name, (points, faces) in cut_regions(scan.verts, scan.faces, landmarks).items():
        write_mesh(output / REGION_SCANS / str(subject) / f"{name}.obj", points / scale, faces)


def _write_points(path: Path, points: np.ndarray) -> None:
    write_text(path, "".join("v {:.9g} {:.9g} {:.9g}\n".format(*point) for point in points.tolist()))


def _readme(face_model: FaceModel, settings: REALYSetSettings, topology: Topology) -> str:
    return _README.format(
        seed=settings.seed,
        subjects=settings.subjects,
        views=settings.views,
        model=face_model.name,
        level=face_model.level,
        fingerprint=face_model.fingerprint,
        licence=face_model.licence,
        spacing=settings.scanner.spacing,
        noise=settings.scanner.noise,
        waves=settings.scanner.waves,
        holes=settings.scanner.holes,
        keypoints=KEYPOINTS,
        regions=REGION_SCANS,
        scale=SCALES,
        images=PHOTOS,
        landmarks=LANDMARKS,
        topology=topology.name,
    )
