"""Predictions for REALY on disk: `<subject>.obj` (frontal) and `<subject>_<view>.obj` (side)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.metrics.realy.topology import Topology

VIEWS = ("frontal", "side")
_SUFFIXES = (".obj", ".ply")


def is_prediction_name(name: str) -> bool:
    """Tell whether a name is `<subject>` or `<subject>_<view>`, numbers both.

    Example:
        >>> [is_prediction_name(name) for name in ("12", "12_3", "mean", "12_", "_1")]
        [True, True, False, False, False]
    """
    parts = name.split("_")
    return all(part.isascii() and part.isdecimal() for part in parts)


def subject_of(name: str) -> int:
    """Give the subject of a name: the number before the first underscore."""
    return int(name.split("_")[0])


def official_order(name: str) -> int:
    """Give the sort key of the official program: the number that is left without underscores."""
    return int(name.replace("_", ""))


def of_view(name: str, view: str | None) -> bool:
    """Tell whether a name belongs to a view: frontal ones have no underscore; None takes all."""
    return view is None or ("_" in name) == (view == "side")


@dataclass(frozen=True)
class PredictionFile:
    """Hold the name and the path of one prediction."""

    name: str
    path: Path

    @property
    def subject(self) -> int:
        """Number of the subject."""
        return subject_of(self.name)


def list_predictions(folder: Path, view: str | None = None) -> list[PredictionFile]:
    """List the predictions of a folder in the official order.

    Args:
        folder: of OBJ (official) or PLY files.
        view: `frontal`, `side` or None for all.

    Raises:
        MGCError: if the folder is missing or has none, or a name is not `<subject>` or `<subject>_<view>`.
    """
    if not folder.is_dir():
        raise MGCError(f"{folder}: no such folder of predictions")
    found: dict[str, PredictionFile] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        if not is_prediction_name(path.stem):
            raise MGCError(
                f"{path}: expected <subject>.obj or <subject>_<view>.obj, numbers both, e.g. 7.obj or 7_2.obj"
            )
        if path.stem in found:
            raise MGCError(f"{path}: a second prediction named {path.stem}, beside {found[path.stem].path.name}")
        found[path.stem] = PredictionFile(path.stem, path)
    chosen = [item for name, item in found.items() if of_view(name, view)]
    if not chosen:
        wanted = {None: "<subject>.obj", "frontal": "<subject>.obj", "side": "<subject>_<view>.obj"}[view]
        raise MGCError(f"{folder}: expected predictions {wanted}, found none")
    return sorted(chosen, key=lambda item: official_order(item.name))


def read_prediction(path: Path, topology: Topology) -> tuple[Float[NDArray, "N 3"], Int[NDArray, "F 3"] | None]:
    """Read vertices, and faces where the file has them, and check both against the topology.

    Raises:
        MGCError: if the file is no mesh, has another number of vertices, NaN, or its vertices in another order.
    """
    mesh = read_mesh(path, require_faces=False)
    topology.check(mesh.verts, str(path))
    if not len(mesh.faces):
        return mesh.verts.astype(np.float32), None
    topology.check_faces(mesh.faces, str(path))
    return mesh.verts.astype(np.float32), mesh.faces
