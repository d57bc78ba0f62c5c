"""Topologies on disk: those that are shipped, official templates, masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.reading import reading, reason
from mgc_lightning.files.text import read_text
from mgc_lightning.metrics.realy.topology import Topology, topology_from_keypoints

KEYPOINT_DATA = Path(__file__).parent / "data"
SHIPPED = ("makehuman", "makehuman-1", "ict")
"""Topologies whose keypoints the package ships: the embedded head at levels 0 and 1, and ICT-FaceKit."""
_INNER_PARTS = ("mouth_interior", "teeth", "eyeball_r", "eyeball_l")


def load_topology(name_or_path: str | Path) -> Topology:
    """Load a topology by name, or from an OBJ file with its keypoints in the `.txt` beside it.

    Args:
        name_or_path: `makehuman`, `makehuman-1` (the subdivided head), `ict` (the face model imported from your copy),
            `ict:PATH.obj` (any mesh that begins with ICT-FaceKit's 9409 face vertices), or a path such as REALY's
            `data/BFM09.obj`.

    Raises:
        MGCError: if it is unknown, or a file is missing or malformed.

    Example:
        >>> load_topology("makehuman").vertex_count
        4032
    """
    name = str(name_or_path)
    if name in SHIPPED:
        model_name, _, level = name.partition("-")
        return topology_of(load_face_model(model_name, int(level or 0)))
    if name.startswith("ict:"):
        mesh = read_mesh(Path(name.removeprefix("ict:")).expanduser())
        return _shipped("ict", len(mesh.verts), mesh.faces)
    path = Path(name).expanduser()
    if path.suffix.lower() != ".obj":
        raise MGCError(
            f"Unknown topology {name!r}; expected one of {', '.join(SHIPPED)}, or the path of a template .obj that "
            "has its 85 keypoints in a .txt beside it (BFM, FLAME, HIFI3D: the `data` folder of the REALY repository)"
        )
    return read_topology(path)


def topology_of(model: FaceModel) -> Topology:
    """Give the topology of a face model whose keypoints are shipped.

    Raises:
        MGCError: for other face models.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> topology = topology_of(load_face_model())
        >>> topology.name, topology.triangles.shape
        ('makehuman', (85, 3))
    """
    name = f"{model.name}-{model.level}" if model.name == EMBEDDED else model.name
    if not (KEYPOINT_DATA / f"{name}.json").is_file():
        raise MGCError(
            f"No REALY keypoints are shipped for face model {model.name!r}; give the official template, e.g. "
            "topology: REALY/data/BFM09.obj (35709-vertex BFM: Deep3D.obj)"
        )
    return _shipped(name, model.num_verts, model.faces.cpu().numpy())


def _shipped(name: str, vertex_count: int, faces: Int[NDArray, "F 3"]) -> Topology:
    """Join shipped keypoints, which name vertices, to the faces of a mesh."""
    rows = np.array(json.loads((KEYPOINT_DATA / f"{name}.json").read_text(encoding="utf-8"))["keypoints"], np.float64)
    triangles, weights = rows[:, :3].astype(np.int64), rows[:, 3:]
    if triangles.max() >= vertex_count:
        raise MGCError(f"A mesh of {vertex_count} vertices has too few for the REALY keypoints of {name!r}")
    weights /= weights.sum(axis=1, keepdims=True)
    return Topology(name.removesuffix("-0"), vertex_count, faces, triangles, weights)


def inner_parts(model: FaceModel) -> Bool[NDArray, " N"]:
    """Mark the vertices that no skin point may lie on: mouth cavity, teeth, eyeballs.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> inner = inner_parts(model)
        >>> bool(inner[model.region("teeth").numpy()].all()), bool(inner[model.region("nose").numpy()].any())
        (True, False)
    """
    marks = [model.region(name).cpu().numpy() for name in _INNER_PARTS if name in model.region_names]
    return np.any(marks, axis=0) if marks else np.zeros(model.num_verts, dtype=bool)


def read_topology(path: str | Path) -> Topology:
    """Read `NAME.obj` and the keypoints `NAME.txt` beside it, as the official templates are.

    Raises:
        MGCError: if a file is missing or malformed.
    """
    path = Path(path)
    keypoint_path = path.with_suffix(".txt")
    if not keypoint_path.is_file():
        raise MGCError(
            f"{keypoint_path}: no such file; a topology has its 85 keypoints in a .txt beside its .obj, one JSON "
            "list of [triangle, w0, w1]"
        )
    mesh = read_mesh(path)
    _refuse_polygons(path)
    with reading(keypoint_path, "expected one JSON list of 85 [triangle, w0, w1], could not read it"):
        rows = np.array(json.loads(read_text(keypoint_path)), np.float64)
    return replace(topology_from_keypoints(str(keypoint_path), len(mesh.verts), mesh.faces, rows), name=path.stem)


def _refuse_polygons(path: Path) -> None:
    """Refuse faces of five corners and more: the official reader drops them, which renumbers triangles."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if line.startswith("f ") and len(line.split("#")[0].split()) > 5:
                raise MGCError(f"{path}, line {number}: expected triangles and quads, got a larger polygon")


def read_mask(path: str | Path, vertex_count: int) -> Bool[NDArray, " N"]:
    """Read a template mask: 0 or 1 per vertex, separated by commas or white space.

    Raises:
        MGCError: if the file is missing, holds anything else, or has another number of values.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mask.txt"
        >>> _ = path.write_text("0, 1, 1")
        >>> read_mask(path, 3).tolist()
        [False, True, True]
    """
    path = Path(path)
    if not path.is_file():
        raise MGCError(f"{path}: no such mask file")
    words = read_text(path, others="replace").replace(",", " ").split()
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise MGCError(f"{path}: expected 0 or 1 per vertex ({reason(error)})") from error
    if len(values) != vertex_count or not np.isin(values, (0, 1)).all():
        raise MGCError(
            f"{path}: expected {vertex_count} values 0 or 1, one per vertex, got {len(values)} values"
            + ("" if np.isin(values, (0, 1)).all() else ", some neither 0 nor 1")
        )
    if not values.any():
        raise MGCError(f"{path}: the mask keeps no vertex")
    return values.astype(bool)
