"""ICT-FaceKit's light model (USC Institute for Creative Technologies, MIT): a folder of OBJ files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.conversion import RawFaceModel, finish, single_vertices
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.files.names import inside
from mgc_lightning.files.reading import reason
from mgc_lightning.files.text import parse_json, read_text

LICENCE = "MIT, Copyright (c) 2020 USC Institute for Creative Technologies"
NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
CENTIMETRE = 10.0
ARKIT_SIGMA = 0.25
"""Prior deviation of expression weights, whose natural range is 0 to 1."""
PARTS = {
    "face_area": 9409,
    "head_neck": 11248,
    "mouth_socket": 13294,
    "eye_sockets": 14062,
    "gums_tongue": 17039,
    "teeth": 21451,
    "eyeballs": 24591,
}
"""Parts of the mesh in the order of its vertices, each with the index behind its last vertex. What follows (lacrimal
fluid, eye blend and occlusion, lashes) is transparent film for game engines, and is left out."""


def load_ict(path: Path) -> FaceModelData:
    """Load ICT-FaceKit from its folder `FaceXModel`, or the repository that holds it (lengths in centimetres).

    Raises:
        MGCError: if the folder is not that one, a file is missing or has other vertices.
    """
    folder = path / "FaceXModel" if (path / "FaceXModel").is_dir() else path
    indices = _read_indices(folder)
    verts, faces, uv = read_obj(folder / NEUTRAL)
    kept = min(PARTS["eyeballs"], len(verts))
    names, place = indices["expressions"], folder / INDICES
    if not isinstance(names, list):
        raise MGCError(f"{place}: expected a list `expressions`, got {type(names).__name__}")
    shapes = [inside(folder, f"{name}.obj", place) for name in names]
    modes = sorted(folder.glob("identity*.obj"))
    if not modes:
        raise MGCError(f"{folder} has no identity000.obj and following: it is not ICT-FaceKit's FaceXModel")
    faces = faces[(faces < kept).all(axis=1)]
    regions = part_masks(kept)
    index, weights = single_vertices(np.asarray(indices["idx_to_landmark_verts"]))
    return finish(
        RawFaceModel(
            name="ict",
            licence=LICENCE,
            mean=CENTIMETRE * verts[:kept],
            identity_basis=_offsets(modes, verts, kept),
            expression_basis=_offsets(shapes, verts, kept),
            expression_sigma=np.full(len(names), ARKIT_SIGMA),
            expression_names=list(names),
            faces=faces,
            landmarks68_index=index,
            landmarks68_weights=weights,
            skin=regions["face_area"] | regions["head_neck"],
            regions=regions,
            uv=None if uv is None else uv[:kept],
        ),
        [folder / INDICES, folder / NEUTRAL, *modes, *shapes],
    )


def part_masks(count: int) -> dict[str, np.ndarray]:
    """Give the mask of each part.

    Example:
        >>> parts = part_masks(26719)
        >>> {name: int(parts[name].sum()) for name in ("face_area", "head_neck", "mouth_socket")}
        {'face_area': 9409, 'head_neck': 1839, 'mouth_socket': 2046}
    """
    index = np.arange(count)
    starts = [0, *PARTS.values()]
    return {name: (index >= first) & (index < last) for (name, last), first in zip(PARTS.items(), starts, strict=False)}


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    r"""Read vertices (N, 3), triangles (F, 3) fanned from polygons, and one texture coordinate a vertex (N, 2).

    Raises:
        MGCError: if the file is absent or not an OBJ of polygons.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "quad.obj"
        >>> _ = path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
        >>> verts, faces, uv = read_obj(path)
        >>> verts.shape, faces.tolist(), uv
        ((4, 3), [[0, 1, 2], [0, 2, 3]], None)
    """
    text = _read(path)
    verts = _rows(text, "v", 3, path)
    texture = _rows(text, "vt", 2, path) if re.search(r"^vt ", text, re.MULTILINE) else None
    triangles, uv = [], None if texture is None else np.zeros((len(verts), 2))
    try:
        for line in re.findall(r"^f (.*)$", text, re.MULTILINE):
            corners = [corner.split("/") for corner in line.split()]
            polygon = [int(corner[0]) - 1 for corner in corners]
            triangles += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
            if texture is not None and uv is not None:
                uv[polygon] = texture[[int(corner[1]) - 1 for corner in corners]]
    except (ValueError, IndexError) as error:
        raise MGCError(f"{path}: a face cannot be read ({reason(error)})") from error
    faces = np.array(triangles, dtype=np.int64).reshape(-1, 3)
    if not len(faces) or faces.min() < 0 or faces.max() >= len(verts):
        raise MGCError(f"{path}: its faces do not index its {len(verts)} vertices; it may be cut off")
    return verts, faces, uv


def _offsets(files: list[Path], neutral: np.ndarray, kept: int) -> np.ndarray:
    """Read shapes and give their differences to the neutral one in mm."""
    offsets = np.empty((len(files), kept, 3), dtype=np.float32)
    for row, file in zip(offsets, files, strict=True):
        verts = _rows(_read(file), "v", 3, file)
        if len(verts) != len(neutral):
            raise MGCError(f"{file} has {len(verts)} vertices, {NEUTRAL} has {len(neutral)}; it may be cut off")
        row[:] = CENTIMETRE * (verts[:kept] - neutral[:kept])
    return offsets


def _rows(text: str, key: str, width: int, path: Path) -> np.ndarray:
    lines = re.findall(rf"^{key} (.*)$", text, re.MULTILINE)
    try:
        return np.array(" ".join(lines).split(), dtype=np.float64).reshape(len(lines), -1)[:, :width]
    except ValueError as error:
        raise MGCError(f"{path}: its `{key}` lines cannot be read ({reason(error)}); it may be cut off") from error


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except MGCError as error:
        raise MGCError(f"{path} cannot be read ({error}); give the folder FaceXModel of ICT-FaceKit") from error


def _read_indices(folder: Path) -> dict[str, list]:
    path = folder / INDICES
    indices = parse_json(_read(path), path)
    if not isinstance(indices, dict):
        raise MGCError(f"{path}: expected an object, got {type(indices).__name__}")
    for key in ("expressions", "idx_to_landmark_verts"):
        if key not in indices:
            raise MGCError(f"{path} has no `{key}`: it is another file, or another version of it")
    return indices
