"""Meshes on disk: OBJ, PLY and GLB, with vertex colours, in the order of the vertices."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.colors import srgb_to_linear, unit_colors
from mgc_lightning.files.glb import glb_colors, read_glb_scene
from mgc_lightning.files.plain_obj import parse_plain_obj, tidy_obj
from mgc_lightning.files.ply import read_ply
from mgc_lightning.files.reading import excerpt, reading, reason

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeshFile:
    """Hold what a mesh file says.

    Attributes:
        verts: (N, 3) float64, in the file's unit and order.
        faces: (F, 3) int64, polygons split into fans; (0, 3) where the file has none.
        colors: (N, 3) float64 in [0, 1], display space, or None.
    """

    verts: Float[NDArray, "N 3"]
    faces: Int[NDArray, "F 3"]
    colors: Float[NDArray, "N 3"] | None = None


def write_mesh(
    path: str | os.PathLike[str],
    verts: ArrayLike | Tensor,
    faces: ArrayLike | Tensor,
    colors: ArrayLike | Tensor | None = None,
) -> Path:
    """Write a mesh as the suffix of `path` says: .obj, .ply or .glb; whole or not at all.

    OBJ carries colours as six-number vertex lines and keeps float32 verts exactly; PLY is binary, float32.
    glTF is defined in metres and linear colour: a GLB keeps the millimetres under a node scaled by .001, and
    its colours are converted from display space.

    Args:
        path: the file to write; parent folders are created.
        verts: (N, 3), mm.
        faces: (F, 3) vertex indices.
        colors: (N, 3) display-space RGB; clipped to [0, 1].

    Raises:
        MGCError: if the suffix is unknown, the mesh is empty or not finite, or shapes or indices do not fit.

    Example:
        >>> import tempfile
        >>> verts, red = [[0, 0, 0], [10, 0, 0], [0, 10, 0]], [[1, 0, 0]] * 3
        >>> path = write_mesh(Path(tempfile.mkdtemp()) / "triangle.ply", verts, [[0, 1, 2]], red)
        >>> mesh = read_mesh(path)
        >>> mesh.verts[1].tolist(), mesh.faces.tolist(), mesh.colors[0].tolist()
        ([10.0, 0.0, 0.0], [[0, 1, 2]], [1.0, 0.0, 0.0])
    """
    target = Path(path)
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise MGCError(f"{target}: expected a suffix among {sorted(_WRITERS)}, got {target.suffix!r}")
    mesh = _checked(str(target), _array(verts), _array(faces), None if colors is None else _array(colors))
    with atomic_path(target) as temporary:
        writer(temporary, mesh)
    return target


def read_mesh(path: str | os.PathLike[str], require_faces: bool = True) -> MeshFile:
    """Read an OBJ, PLY or GLB file without changing the number or the order of its vertices.

    Args:
        path: the file. OBJ lines `v x y z`, `v x y z w` and the coloured `v x y z r g b` and `... r g b a`; faces `i`,
            `i/t`, `i//n`, `i/t/n`, negative indices and polygons, comments anywhere, a byte-order mark; PLY of any
            mixture of polygons; colours of any type, in [0, 1], 0..255 or 0..65535. Textures are ignored.
        require_faces: refuse point sets.

    Raises:
        MGCError: if the file is missing, empty, not a mesh, or holds values that are not finite.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "quad.obj"
        >>> _ = path.write_text(os.linesep.join(["v 0 0 0", "v 9 0 0", "v 9 9 0", "v 0 9 0", "f 1 2 3 4"]))
        >>> read_mesh(path).faces.tolist()  # polygons become fans
        [[0, 1, 2], [0, 2, 3]]
    """
    source = Path(path)
    reader = _READERS.get(source.suffix.lower())
    if reader is None:
        raise MGCError(f"{source}: expected a mesh file among {sorted(_READERS)}, got {source.suffix!r}")
    if not source.is_file():
        raise MGCError(f"{source}: no such mesh file")
    with reading(source, f"could not be read as {source.suffix}"):
        verts, faces, colors = reader(source)
        return _checked(str(source), verts, faces, colors, require_faces)


def _array(values: ArrayLike | Tensor) -> NDArray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _checked(name: str, verts: NDArray, faces: NDArray, colors: NDArray | None, require_faces: bool = True) -> MeshFile:
    if verts.ndim != 2 or verts.shape[1] != 3 or not len(verts):
        raise MGCError(f"{name}: expected vertices of shape (N, 3) with N > 0, got {verts.shape}")
    faces = faces.reshape(0, 3) if faces.size == 0 else faces
    if faces.ndim != 2 or faces.shape[1] != 3 or (require_faces and not len(faces)):
        raise MGCError(f"{name}: expected triangles of shape (F, 3) with F > 0, got {faces.shape}")
    if not np.isfinite(verts).all():
        first = int(np.flatnonzero(~np.isfinite(verts).all(axis=1))[0])
        raise MGCError(f"{name}: vertex {first} is not finite: {verts[first].tolist()}")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(verts)):
        raise MGCError(
            f"{name}: a face names vertex {faces.max() if faces.min() >= 0 else faces.min()}, "
            f"but there are {len(verts)} vertices"
        )
    if colors is not None:
        if colors.shape != verts.shape:
            raise MGCError(f"{name}: expected colours of shape {verts.shape}, got {colors.shape}")
        colors = np.nan_to_num(colors.astype(np.float64)).clip(0.0, 1.0)
    return MeshFile(verts.astype(np.float64), faces.astype(np.int64), colors)


def _write_obj(path: Path, mesh: MeshFile) -> None:
    if mesh.colors is None:
        rows, form = mesh.verts, "v %.9g %.9g %.9g"
    else:
        rows, form = np.hstack([mesh.verts, mesh.colors]), "v %.9g %.9g %.9g %.6f %.6f %.6f"
    lines = "\n".join(form % tuple(row) for row in rows.tolist())
    triangles = "\n".join("f %d %d %d" % tuple(face) for face in (mesh.faces + 1).tolist())  # noqa: UP031
    path.write_text(f"{lines}\n{triangles}\n", encoding="ascii")


def _write_ply(path: Path, mesh: MeshFile) -> None:
    colors = None if mesh.colors is None else np.round(mesh.colors * 255).astype(np.uint8)
    model = trimesh.Trimesh(mesh.verts, mesh.faces, vertex_colors=colors, process=False)
    model.export(path, file_type="ply")


def _write_glb(path: Path, mesh: MeshFile) -> None:
    # The default glTF material is a metal, which viewers show almost black.
    material = trimesh.visual.material.PBRMaterial(metallicFactor=0.0, roughnessFactor=0.8, doubleSided=True)
    visual = trimesh.visual.TextureVisuals(material=material)
    if mesh.colors is not None:
        rgba = np.hstack([srgb_to_linear(mesh.colors), np.ones((len(mesh.verts), 1))])
        visual.vertex_attributes["color"] = np.round(rgba * 255).astype(np.uint8)
    model = trimesh.Trimesh(mesh.verts, mesh.faces, visual=visual, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(model, node_name="face", transform=np.diag([0.001, 0.001, 0.001, 1.0]))
    path.write_bytes(trimesh.exchange.gltf.export_glb(scene, include_normals=True))


def _read_obj(path: Path) -> tuple[NDArray, NDArray, NDArray | None]:
    data = path.read_bytes()
    _tell_if_torn(path, data)
    plain = parse_plain_obj(data) or parse_plain_obj(tidied := tidy_obj(data))
    if plain is not None:
        verts, triangles = plain
        return verts[:, :3], triangles, unit_colors(verts[:, 3:]) if verts.shape[1] == 6 else None
    points: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    # Bytes know fewer ends of lines than text, in which U+2028 or U+0085 would end one.
    for number, line in enumerate(tidied.splitlines(), start=1):
        words = line.split()
        if not words or words[0] not in (b"v", b"f"):
            continue
        try:
            if words[0] == b"v":
                points.append([float(word) for word in words[1:]])
            else:
                corners = [int(word.split(b"/", 1)[0]) for word in words[1:]]
                if 0 in corners or len(corners) < 3:
                    raise ValueError("a face needs three corners that count from 1")
                corners = [corner - 1 if corner > 0 else len(points) + corner for corner in corners]
                faces.extend((corners[0], b, c) for b, c in pairwise(corners[1:]))
        except ValueError as error:
            said = excerpt(repr(line.decode("utf-8", errors="replace")), 60)
            raise MGCError(f"{path}, line {number}: expected OBJ, got {said} ({reason(error)})") from error
    if not points:
        raise MGCError(f"{path}: expected an OBJ file with vertices, found no `v` line")
    verts = _rectangular(path, points)
    return verts[:, :3], np.array(faces, np.int64).reshape(-1, 3), _obj_colors(verts)


def _tell_if_torn(path: Path, data: bytes) -> None:
    """Say what tells that an OBJ file is cut off: it has no counts but those that some writers put into comments."""
    for kind, letter in ((b"Vertices", b"v"), (b"Faces", b"f")):
        claimed = re.search(rb"^#\s*%s:\s*(\d{1,12})\s*$" % kind, data[:4096], re.MULTILINE | re.IGNORECASE)
        count = len(re.findall(rb"^%s[ \t]" % letter, data, re.MULTILINE)) if claimed else 0
        if claimed and count < int(claimed[1]):
            logger.warning(
                "%s: its comment counts %s %s, the file has %d.", path, int(claimed[1]), kind.decode(), count
            )
            return
    if data and not data.endswith((b"\n", b"\r")):
        logger.warning("%s: its last line is not ended: the file may be cut off.", path)


def _rectangular(path: Path, points: list[list[float]]) -> NDArray:
    widths = {len(point) for point in points}
    if min(widths) < 3:
        raise MGCError(f"{path}: a `v` line has fewer than three numbers")
    # A file whose lines differ in length carries no colour for every vertex: keep the positions.
    width = widths.pop() if len(widths) == 1 else 3
    return np.array([point[:width] for point in points], np.float64)


def _obj_colors(verts: NDArray) -> NDArray | None:
    """Find the colours behind the positions: r g b, r g b a, or, after a weight of 1, r g b."""
    if verts.shape[1] not in (6, 7):
        return None
    weighted = verts.shape[1] == 7 and (verts[:, 3] == 1).all() and not (verts[:, 6] == verts[0, 6]).all()
    return unit_colors(verts[:, 4:7] if weighted else verts[:, 3:6])


def _read_glb(path: Path) -> tuple[NDArray, NDArray, NDArray | None]:
    models = [model for model in read_glb_scene(path).geometry.values() if isinstance(model, trimesh.Trimesh)]
    if len(models) != 1:
        raise MGCError(f"{path}: expected one mesh, found {len(models)}")
    return np.asarray(models[0].vertices), np.asarray(models[0].faces), glb_colors(models[0], path)


_WRITERS: dict[str, Callable[[Path, MeshFile], None]] = {
    ".obj": _write_obj,
    ".ply": _write_ply,
    ".glb": _write_glb,
}
_READERS: dict[str, Callable[[Path], tuple[NDArray, NDArray, NDArray | None]]] = {
    ".obj": _read_obj,
    ".ply": read_ply,
    ".glb": _read_glb,
}
