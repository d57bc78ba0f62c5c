"""Topologies: the faces of a method's meshes and where the 85 keypoints lie on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.metrics.realy.regions import KEYPOINT_COUNT

KEYPOINT_DATA = Path(__file__).parent / "data"
SHIPPED = ("makehuman", "makehuman-1", "ict")
"""Topologies whose keypoints the package ships: the embedded head at levels 0 and 1, and ICT-FaceKit."""
_INNER_PARTS = ("mouth_interior", "teeth", "eyeball_r", "eyeball_l")


@dataclass(frozen=True)
class Topology:
    """Hold what REALY needs to know about a mesh topology; its rest positions play no part.

    Attributes:
        name: how messages call it.
        vertex_count: N.
        faces: (F, 3) int64, quads split in place.
        triangles: (85, 3) vertices of the triangle of each keypoint.
        weights: (85, 3) their weights, rows sum to 1.
        mask: (N,) vertices whose faces make up the surface that errors are measured to; all if None.
    """

    name: str
    vertex_count: int
    faces: Int[NDArray, "F 3"]
    triangles: Int[NDArray, "85 3"]
    weights: Float[NDArray, "85 3"]
    mask: Bool[NDArray, " N"] | None = None

    def keypoints(self, verts: Float[NDArray, "N 3"]) -> Float[NDArray, "85 3"]:
        """Interpolate the 85 keypoints on vertices of this topology, in float64."""
        return (verts[self.triangles] * self.weights[:, :, None]).sum(axis=1)

    def masked(self, faces: Int[NDArray, "F 3"]) -> Int[NDArray, "G 3"]:
        """Keep the faces whose three vertices the mask keeps."""
        return faces if self.mask is None else faces[self.mask[faces].all(axis=1)]

    def check(self, verts: Float[NDArray, "N 3"], name: str = "prediction") -> None:
        """Refuse vertices that cannot be of this topology.

        Raises:
            MGCError: if their number differs or some are not finite.
        """
        if verts.ndim != 2 or verts.shape != (self.vertex_count, 3):
            raise MGCError(
                f"{name}: expected {self.vertex_count} vertices of topology {self.name!r}, got an array of shape "
                f"{tuple(verts.shape)}. Predictions must keep the number and the order of the template's vertices "
                "(trimesh: process=False)"
            )
        if not np.isfinite(verts).all():
            first = int(np.flatnonzero(~np.isfinite(verts).all(axis=1))[0])
            raise MGCError(f"{name}: vertex {first} is not finite: {verts[first].tolist()}")

    def check_faces(self, faces: Int[NDArray, "F 3"], name: str = "prediction") -> None:
        """Refuse faces that join other vertices than this topology's: a sign of re-ordered vertices.

        A part of the faces, or quads split the other way, are fine.

        Raises:
            MGCError: if less than half of the edges are edges of the topology.
        """
        known = np.unique(_edge_keys(self.faces, self.vertex_count))
        share = float(np.isin(_edge_keys(faces, self.vertex_count), known).mean()) if len(faces) else 1.0
        if share < 0.5:
            raise MGCError(
                f"{name}: only {share:.0%} of its edges are edges of topology {self.name!r}: its vertices are in "
                "another order. Save predictions in the template's order (trimesh: process=False)"
            )


def _edge_keys(faces: Int[NDArray, "F 3"], vertex_count: int) -> Int[NDArray, " E"]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return edges[:, 0].astype(np.int64) * vertex_count + edges[:, 1]


def topology_from_keypoints(
    name: str,
    vertex_count: int,
    faces: Int[NDArray, "F 3"],
    rows: Float[NDArray, "85 3"],
) -> Topology:
    """Make a topology from official keypoint rows: triangle, w0, w1; the third weight is 1 - w0 - w1.

    Raises:
        MGCError: if there are not 85 rows, or one names a triangle that is not there.
    """
    rows = np.asarray(rows, np.float64)
    if rows.shape != (KEYPOINT_COUNT, 3) or not np.isfinite(rows).all():
        raise MGCError(
            f"{name}: expected {KEYPOINT_COUNT} keypoints [triangle, w0, w1], got an array of shape {rows.shape}"
        )
    index = rows[:, 0].astype(np.int64)
    if index.min() < 0 or index.max() >= len(faces):
        raise MGCError(
            f"{name}: a keypoint lies on triangle {index.max()}, but the topology has {len(faces)} triangles"
        )
    weights = np.stack([rows[:, 1], rows[:, 2], 1.0 - rows[:, 1] - rows[:, 2]], axis=1)
    faces = np.asarray(faces, np.int64)
    return Topology(name, vertex_count, faces, faces[index], weights)


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
    """Mark the vertices that no skin point may lie on: mouth cavity, teeth, eyeballs."""
    marks = [model.region(name).cpu().numpy() for name in _INNER_PARTS if name in model.region_names]
    return np.any(marks, axis=0) if marks else np.zeros(model.num_verts, dtype=bool)


def write_topology(topology: Topology, verts: Float[NDArray, "N 3"], path: Path) -> None:
    """Write a template for the official program: `path` (.obj) and its keypoints (.txt).

    Raises:
        MGCError: if a keypoint lies on no face of the topology.
    """
    rows = []
    ordered = {tuple(sorted(face)): number for number, face in enumerate(topology.faces.tolist())}
    for triangle, weights in zip(topology.triangles.tolist(), topology.weights, strict=True):
        number = ordered.get(tuple(sorted(triangle)))
        if number is None:
            raise MGCError(f"{topology.name}: keypoint triangle {triangle} is no face of the topology")
        share = dict(zip(triangle, weights, strict=True))
        corners = topology.faces[number].tolist()
        rows.append([number, float(share[corners[0]]), float(share[corners[1]])])
    write_mesh(path, verts, topology.faces)
    with atomic_path(path.with_suffix(".txt")) as temporary:
        temporary.write_text(json.dumps(rows), encoding="ascii")


def read_topology(path: Path) -> Topology:
    """Read `NAME.obj` and the keypoints `NAME.txt` beside it, as the official templates are.

    Raises:
        MGCError: if a file is missing or malformed.
    """
    keypoint_path = path.with_suffix(".txt")
    if not keypoint_path.is_file():
        raise MGCError(
            f"{keypoint_path}: no such file; a topology has its 85 keypoints in a .txt beside its .obj, one JSON "
            "list of [triangle, w0, w1]"
        )
    mesh = read_mesh(path)
    _refuse_polygons(path)
    try:
        rows = np.array(json.loads(keypoint_path.read_text(encoding="utf-8")), np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise MGCError(
            f"{keypoint_path}: expected one JSON list of 85 [triangle, w0, w1], could not read it ({error})"
        ) from error
    return replace(topology_from_keypoints(str(keypoint_path), len(mesh.verts), mesh.faces, rows), name=path.stem)


def _refuse_polygons(path: Path) -> None:
    """Refuse faces of five corners and more: the official reader drops them, which renumbers triangles."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if line.startswith("f ") and len(line.split("#")[0].split()) > 5:
                raise MGCError(f"{path}, line {number}: expected triangles and quads, got a larger polygon")


def read_mask(path: Path, vertex_count: int) -> Bool[NDArray, " N"]:
    """Read a template mask: 0 or 1 per vertex, separated by commas or white space.

    Raises:
        MGCError: if the file is missing, holds anything else, or has another number of values.
    """
    if not path.is_file():
        raise MGCError(f"{path}: no such mask file")
    words = path.read_text(encoding="utf-8", errors="replace").replace(",", " ").split()
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise MGCError(f"{path}: expected 0 or 1 per vertex ({error})") from error
    if len(values) != vertex_count or not np.isin(values, (0, 1)).all():
        raise MGCError(
            f"{path}: expected {vertex_count} values 0 or 1, one per vertex, got {len(values)} values"
            + ("" if np.isin(values, (0, 1)).all() else ", some neither 0 nor 1")
        )
    if not values.any():
        raise MGCError(f"{path}: the mask keeps no vertex")
    return values.astype(bool)
