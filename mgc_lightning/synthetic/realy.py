"""A synthetic data set in REALY's official layout, from the embedded face model: no licence is needed to try it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.dataset import (
    IMAGES_FOLDER,
    KEYPOINTS_FOLDER,
    LANDMARKS_FOLDER,
    REGIONS_FOLDER,
    SCALE_FILE,
)
from mgc_lightning.evaluation.realy.topology import topology_of
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.complexion import make_complexion
from mgc_lightning.synthetic.generator import TripletGenerator
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.realy_regions import cut_regions
from mgc_lightning.synthetic.scanner import scan_head
from mgc_lightning.synthetic.set_settings import RealySetSettings
from mgc_lightning.synthetic.settings import SyntheticSettings

FIRST_INDEX = 1_000_000
"""Subjects come from the test stream of synthetic triplets, beyond any test set; training never sees them."""
SCALE_RANGE = (8.0, 10.0)
"""Millimetres per model unit; REALY's own are 6.5 to 10.2."""
_PEOPLE = SyntheticSettings(linked=0.0, unlinked=1.0, expression=0.0, occluders=0.0, landmark_noise=1.0)
_README = """A synthetic data set in the layout of REALY, written by `mgc synthesize realy`.

seed {seed}, {subjects} subjects, {views} side views each, head mesh of level {level}
scanner: {spacing} mm between points, {noise} mm noise, {waves} mm waves, {holes} holes a scan

{keypoints}/<subject>.obj         85 keypoints, model units
{regions}/<subject>/<region>.obj  scan regions nose, mouth, forehead, cheek, model units
{scale}                    mm per model unit, line 1 for subject 1
{images}/<subject>[_<view>].jpg            neutral faces: frontal, and side views
{landmarks}/<subject>[_<view>].txt              68 landmarks in px of each image, with a detector's noise
predictions/ground_truth, predictions/mean_face   meshes to score with --topology {topology}

The people do not exist: they are random faces of the head mesh of MakeHuman / MPFB2 (CC0 1.0). This data set is
dedicated to the public domain under CC0 1.0 as well. It is for tests and for trying the tools; its scores say nothing
about real faces.
"""


def synthesize_realy(output: Path, settings: RealySetSettings) -> Iterator[int]:
    """Write the data set, and yield each subject as it is done.

    Args:
        output: a new or empty folder.
        settings: of the data set.

    Raises:
        MGCError: if the folder holds anything.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise MGCError(f"{output}: expected a new or an empty folder")
    model = load_face_model(EMBEDDED, settings.level)
    topology = topology_of(model)
    people = _People(model, settings)
    scales = np.random.default_rng([settings.seed, 0]).uniform(*SCALE_RANGE, settings.subjects)
    for subject in range(1, settings.subjects + 1):
        verts = people.render(output, subject)
        _write_scan(output, subject, verts, model, topology, float(scales[subject - 1]), settings)
        for name, mesh in (("ground_truth", verts), ("mean_face", model.mean)):
            write_mesh(output / "predictions" / name / f"{subject}.obj", mesh, model.faces)
        yield subject
    _write_text(output / SCALE_FILE, "".join(f"{scale:.6f}\n" for scale in scales))
    _write_text(output / "README.txt", _readme(settings, topology))


class _People:
    """Render the images of subjects and give their shapes."""

    def __init__(self, model: FaceModel, settings: RealySetSettings) -> None:
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
    pixels = (faces.images[0, view].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    with atomic_path(output / IMAGES_FOLDER / f"{name}.jpg") as temporary:
        Image.fromarray(pixels).save(temporary, quality=95)
    rows = "".join(f"{u:.2f} {v:.2f}\n" for u, v in faces.landmarks[0, view].tolist())
    _write_text(output / LANDMARKS_FOLDER / f"{name}.txt", rows)


def _write_scan(
    output: Path,
    subject: int,
    verts: Tensor,
    model: FaceModel,
    topology: Topology,
    scale: float,
    settings: RealySetSettings,
) -> None:
    rng = np.random.default_rng([settings.seed, subject, 2])
    array, landmarks = verts.double().numpy(), model.landmarks68(verts).double().numpy()
    outer = model.faces_without("teeth", "mouth_interior").numpy()
    scan = scan_head(array, outer, rng, settings.scanner)
    keypoints = topology.keypoints(array) / scale
    _write_points(output / KEYPOINTS_FOLDER / f"{subject}.obj", keypoints)
    for name, (points, faces) in cut_regions(scan.verts, scan.faces, landmarks).items():
        write_mesh(output / REGIONS_FOLDER / str(subject) / f"{name}.obj", points / scale, faces)


def _write_points(path: Path, points: np.ndarray) -> None:
    _write_text(path, "".join("v {:.9g} {:.9g} {:.9g}\n".format(*point) for point in points.tolist()))


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii")


def _readme(settings: RealySetSettings, topology: Topology) -> str:
    return _README.format(
        seed=settings.seed,
        subjects=settings.subjects,
        views=settings.views,
        level=settings.level,
        spacing=settings.scanner.spacing,
        noise=settings.scanner.noise,
        waves=settings.scanner.waves,
        holes=settings.scanner.holes,
        keypoints=KEYPOINTS_FOLDER,
        regions=REGIONS_FOLDER,
        scale=SCALE_FILE,
        images=IMAGES_FOLDER,
        landmarks=LANDMARKS_FOLDER,
        topology=topology.name,
    )
