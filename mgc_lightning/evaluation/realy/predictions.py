"""Predictions for REALY on disk: `<subject>.obj` (frontal) and `<subject>_<view>.obj` (side)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.evaluation.settings import REALYView
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.metrics.realy.topology import Topology

MESHES = (".obj", ".ply")


@dataclass(frozen=True)
class REALYPrediction:
    """Hold the files of one prediction."""

    image: REALYImage
    mesh: Path

    @property
    def name(self) -> str:
        """`<subject>` or `<subject>_<view>`."""
        return self.image.name

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.mesh,)


def find_predictions(
    folder: str | Path, dataset: REALYDataset, view: REALYView | None = None
) -> tuple[list[REALYPrediction], list[str]]:
    """Find the predictions of a folder, and the names that a complete set would have and this one has not.

    Complete is `frontal` with every subject by its plain name; `side` with every side image that the data set has, and
    a side view of every subject; None with at least one prediction of every subject.

    Raises:
        MGCError: if the folder is missing or has none, a name is not `<subject>` or `<subject>_<view>`, or the data set
            does not have its subject.
    """
    found = list_predictions(folder, view)
    subjects = dataset.subjects
    foreign = next((prediction for prediction in found if prediction.image.subject not in set(subjects)), None)
    if foreign is not None:
        raise MGCError(
            f"{foreign.mesh}: the data set has no subject {foreign.image.subject} (it has {len(subjects)}, "
            f"{subjects[0]} to {subjects[-1]})"
        )
    images = {prediction.image for prediction in found}
    wanted = {image for image in dataset.photo_files if image.view == "side"} if view == "side" else set()
    covered = {image.subject for image in wanted | images}
    wanted |= {REALYImage(str(subject)) for subject in subjects if view == "frontal" or subject not in covered}
    return found, [image.name for image in sorted(wanted - images, key=lambda image: image.order)]


def list_predictions(folder: str | Path, view: REALYView | None = None) -> list[REALYPrediction]:
    """List the predictions of a folder in the official order.

    Args:
        folder: of OBJ (official) or PLY files.
        view: `frontal`, `side` or None for all.

    Raises:
        MGCError: if the folder is missing or has none, or a name is not `<subject>` or `<subject>_<view>`.
    """
    folder = Path(folder)
    if view is not None:
        check_choice("view", view, REALYView)
    if not folder.is_dir():
        raise MGCError(f"{folder}: no such folder of predictions")
    found: dict[REALYImage, REALYPrediction] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in MESHES or path.name.startswith("."):
            continue
        try:
            image = REALYImage(path.stem)
        except MGCError as error:
            raise MGCError(
                f"{path}: expected <subject>.obj or <subject>_<view>.obj, numbers both, e.g. 7.obj or 7_2.obj"
            ) from error
        if image in found:
            raise MGCError(f"{path}: a second prediction named {path.stem}, beside {found[image].mesh.name}")
        found[image] = REALYPrediction(image, path)
    chosen = [prediction for image, prediction in found.items() if view in (None, image.view)]
    if not chosen:
        wanted = {None: "<subject>.obj", "frontal": "<subject>.obj", "side": "<subject>_<view>.obj"}[view]
        raise MGCError(f"{folder}: expected predictions {wanted}, found none")
    return sorted(chosen, key=lambda prediction: prediction.image.order)


def read_prediction(
    prediction: REALYPrediction, topology: Topology
) -> tuple[Float[NDArray, "N 3"], Int[NDArray, "F 3"] | None]:
    """Read vertices, and faces where the file has them, and check both against the topology.

    Raises:
        MGCError: if the file is no mesh, has another number of vertices, NaN, or its vertices in another order.
    """
    mesh = read_mesh(prediction.mesh, require_faces=False)
    topology.check(mesh.verts, str(prediction.mesh))
    if not len(mesh.faces):
        return mesh.verts.astype(np.float32), None
    topology.check_faces(mesh.faces, str(prediction.mesh))
    return mesh.verts.astype(np.float32), mesh.faces


def write_prediction(
    folder: str | Path, image: REALYImage, verts: ArrayLike, faces: ArrayLike, suffix: str = ".obj"
) -> None:
    """Write a prediction in the official layout: a float32 mesh.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("2", "10", "2_1"):
        ...     write_prediction(folder, REALYImage(name), 10 * np.eye(3), np.array([[0, 1, 2]]))
        >>> [prediction.name for prediction in list_predictions(folder)]  # frontal ones first
        ['2', '10', '2_1']
    """
    folder = Path(folder)
    write_mesh(folder / f"{image.name}{suffix}", np.asarray(verts, np.float32), faces)
