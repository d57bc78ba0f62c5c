"""Predictions in the official layout: SUBJECT/CHALLENGE/STEM.obj (or .ply) with STEM.npy (or .txt) landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage
from mgc_lightning.evaluation.settings import NoWSplit
from mgc_lightning.files.arrays import read_npy
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_text
from mgc_lightning.metrics.now.landmarks import as_landmarks
from mgc_lightning.metrics.now.names import Challenge

MESHES, LANDMARKS = (".obj", ".ply"), (".npy", ".txt")
"""Suffixes, in the order in which they are looked for."""


@dataclass(frozen=True)
class NoWPrediction:
    """Hold the files of one prediction."""

    image: NoWImage
    mesh: Path
    landmarks: Path

    @property
    def name(self) -> str:
        """SUBJECT/CHALLENGE/FILE of the image."""
        return self.image.name

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return self.mesh, self.landmarks


def find_predictions(
    folder: str | Path, dataset: NoWDataset, split: NoWSplit = "validation", challenge: Challenge | None = None
) -> tuple[list[NoWPrediction], list[str]]:
    r"""Find the predictions of a split, and the names of its images without one.

    Args:
        folder: of SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with landmarks in IMAGE.npy (or .txt).
        dataset: has the list of images.
        split: which list.
        challenge: one challenge only.

    Raises:
        MGCError: if there is no such folder or list.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "imagepathsvalidation.txt").write_text("anna/selfie/1.jpg\nben/selfie/1.jpg\n")
        >>> image, _ = NoWDataset(folder).images()
        >>> mesh = write_prediction(folder / "mine", image, np.eye(3), [[0, 1, 2]], np.arange(21).reshape(7, 3))
        >>> found, missing = find_predictions(folder / "mine", NoWDataset(folder))
        >>> [prediction.name for prediction in found], missing
        (['anna/selfie/1.jpg'], ['ben/selfie/1.jpg'])
    """
    return match_predictions(folder, dataset.images(split, challenge))


def match_predictions(folder: str | Path, images: Sequence[NoWImage]) -> tuple[list[NoWPrediction], list[str]]:
    """Find the predictions of images, and the names of the images without.

    Raises:
        MGCError: if there is no such folder.

    Example:
        >>> import tempfile
        >>> image = NoWImage("anna", "selfie", "1.jpg", "anna/selfie/1.jpg")
        >>> match_predictions(Path(tempfile.mkdtemp()), [image])
        ([], ['anna/selfie/1.jpg'])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MGCError(f"{folder}: no such folder of predictions")
    found, missing = [], []
    for image in images:
        mesh = _first(folder / image.stem, MESHES)
        landmarks = _first(folder / image.stem, LANDMARKS)
        if mesh is None or landmarks is None:
            missing.append(image.name)
        else:
            found.append(NoWPrediction(image, mesh, landmarks))
    return found, missing


def meshes_without_landmarks(folder: str | Path, images: Sequence[NoWImage]) -> list[str]:
    """Name the meshes of images that have no file of landmarks beside them, relative to the folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "anna" / "selfie").mkdir(parents=True)
        >>> (folder / "anna" / "selfie" / "1.obj").touch()
        >>> meshes_without_landmarks(folder, [NoWImage("anna", "selfie", "1.jpg", "anna/selfie/1.jpg")])
        ['anna/selfie/1.obj']
    """
    folder = Path(folder)
    meshes = [_first(folder / image.stem, MESHES) for image in images if _first(folder / image.stem, LANDMARKS) is None]
    return [mesh.relative_to(folder).as_posix() for mesh in meshes if mesh is not None]


def _first(stem: Path, suffixes: tuple[str, ...]) -> Path | None:
    paths = (stem.parent / f"{stem.name}{suffix}" for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)


def read_prediction(
    prediction: NoWPrediction,
) -> tuple[Float[NDArray, "N 3"], Int[NDArray, "F 3"], Float[NDArray, "7 3"]]:
    """Read vertices (float64), faces and landmarks (float32 or float64, as stored).

    Raises:
        MGCError: if the mesh cannot be read or is empty, or there are not seven different finite landmarks.
    """
    mesh = read_mesh(prediction.mesh)
    return mesh.verts, mesh.faces, read_landmarks(prediction.landmarks)


def read_landmarks(path: str | Path) -> Float[NDArray, "7 3"]:
    """Read seven landmarks: .npy (7, 3) or (1, 7, 3) of any float type; .txt seven lines of three numbers, float32.

    Raises:
        MGCError: if the file holds anything else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "1.npy"
        >>> np.save(path, np.arange(21.0).reshape(1, 7, 3))
        >>> read_landmarks(path).shape
        (7, 3)
    """
    path = Path(path)
    with reading(path, "expected 7 landmarks, 3 numbers each"):
        if path.suffix == ".npy":
            array = read_npy(path)
        else:
            array = np.loadtxt(read_text(path, others="replace", torn=True).splitlines(), dtype=np.float32, ndmin=2)
    return as_landmarks(array, str(path))


def write_prediction(
    folder: str | Path, image: NoWImage, verts: ArrayLike, faces: ArrayLike, landmarks: ArrayLike, suffix: str = ".obj"
) -> None:
    """Write a prediction in the official layout: float32 mesh and landmarks.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.evaluation.now import NoWImage, match_predictions
        >>> model, folder = load_face_model(), Path(tempfile.mkdtemp())
        >>> image = NoWImage("anna", "selfie", "1.jpg", "anna/selfie/1.jpg")
        >>> write_prediction(folder, image, model.mean, model.faces, model.landmarks7(model.mean))
        >>> found, missing = match_predictions(folder, [image])
        >>> verts, faces, landmarks = read_prediction(found[0])
        >>> verts.shape, landmarks.shape, missing
        ((4032, 3), (7, 3), [])
    """
    folder = Path(folder)
    stem = folder / image.stem
    write_mesh(stem.parent / f"{stem.name}{suffix}", np.asarray(verts, np.float32), faces)
    with atomic_path(stem.parent / f"{stem.name}.npy") as temporary:
        np.save(temporary, as_landmarks(landmarks).astype(np.float32), allow_pickle=False)
