"""FLAME 2020 and 2023 (Li et al. 2017), with jaw, neck and eyes at rest, so that decoding is linear."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.conversion import RawFaceModel, finish, take
from mgc_lightning.face_models.landmark_transfer import transfer_landmarks
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.face_models.storage import read_face_model
from mgc_lightning.files.arrays import read_npz
from mgc_lightning.files.places import PACKAGE
from mgc_lightning.files.unpickle import load_arrays

IDENTITY, EXPRESSION = 300, 100
METRE = 1000.0
LICENCES = {
    "flame2020": "FLAME licence: non-commercial scientific research (Max Planck Institute)",
    "flame2023": "CC BY 4.0 (FLAME 2023 Open) or FLAME licence, as your copy says (Max Planck Institute)",
}
FULL_EMBEDDINGS = ("landmark_embedding.npy", "flame_static_embedding_68.pkl", "flame_static_embedding_68.npy")
STATIC_EMBEDDINGS = ("flame_static_embedding.pkl", "flame_static_embedding.npy")
CONTOUR_EMBEDDINGS = ("flame_dynamic_embedding.npy",)
STATIC_COUNT = 51

NEEDED = ("v_template", "f", "shapedirs")
"""What is taken of a model; joints, weights, pose directions and whatever else it has are left aside."""
PREFERRED = ("generic_model", "flame2023")
"""Stems of the models, where a folder has others, such as flame2023_no_jaw.pkl."""

Embedding = tuple[np.ndarray, np.ndarray]


def load_flame2020(path: Path) -> FaceModelData:
    """Load FLAME 2020 from a folder that holds `generic_model.pkl` and a landmark embedding, or from the file.

    Raises:
        MGCError: if a file is missing, malicious or another one, is cut off, or holds other units.
    """
    return _load(path, "flame2020")


def load_flame2023(path: Path) -> FaceModelData:
    """Load FLAME 2023 from a folder that holds `flame2023.pkl` and a landmark embedding, or from the file.

    Raises:
        MGCError: if a file is missing, malicious or another one, is cut off, or holds other units.
    """
    return _load(path, "flame2023")


def _load(path: Path, name: str) -> FaceModelData:
    file = find_model(path)
    model = read_arrays(file, NEEDED)
    template = take(model, "v_template", file, (None, 3)).astype(np.float64)
    count = len(template)
    faces = take(model, "f", file, (None, 3)).astype(np.int64)
    if faces.max() >= count:
        raise MGCError(f"{file}: `f` must index {count} vertices, got up to {faces.max()}")
    shape = take(model, "shapedirs", file, (count, 3, None)).astype(np.float64)
    if shape.shape[2] <= IDENTITY:
        raise MGCError(
            f"{file}: `shapedirs` has {shape.shape[2]} directions, expected {IDENTITY} of identity and up to "
            f"{EXPRESSION} of expression behind them"
        )
    mean, basis = METRE * template, METRE * np.moveaxis(shape, 2, 0)
    skin = largest_piece(faces, count)
    index, weights, embeddings = landmarks(file.parent, mean, faces, skin)
    return finish(
        RawFaceModel(
            name=name,
            licence=LICENCES[name],
            mean=mean,
            identity_basis=basis[:IDENTITY],
            expression_basis=basis[IDENTITY : IDENTITY + EXPRESSION],
            faces=faces,
            landmarks68_index=index,
            landmarks68_weights=weights,
            skin=skin,
            regions={"eyeballs": ~skin},
            notes={"pose": "jaw, neck and eyes at zero"},
        ),
        [file, *embeddings],
    )


def find_model(path: Path) -> Path:
    """Find the model among a folder's files: the one .pkl or .npz that is no embedding, texture or mask.

    Raises:
        MGCError: if there is none, or more than one.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("generic_model.pkl", "flame_static_embedding.pkl"):
        ...     (folder / name).touch()
        >>> find_model(folder).name
        'generic_model.pkl'
    """
    if not path.is_dir():
        return path
    others = ("embedding", "texture", "mask", "albedo", "female", "male_")
    found = [
        file
        for file in sorted(path.iterdir())
        if file.suffix in (".pkl", ".npz") and not any(word in file.name.lower() for word in others)
    ]
    preferred = [file for file in found if file.stem in PREFERRED]
    found = preferred if len(preferred) == 1 else found
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise MGCError(f"Expected one FLAME model (.pkl or .npz) in {path}, found {names}: name the file")
    return found[0]


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """Read a dictionary of arrays from a pickle (restricted) or an npz (without pickles, and only the named ones).

    Raises:
        MGCError: if the file cannot be read, or holds something else.
    """
    if path.suffix == ".npz":
        return dict(read_npz(path, names))
    content = load_arrays(path)
    if not isinstance(content, dict):
        raise MGCError(f"{path} holds {type(content).__name__}, expected a dictionary of arrays")
    return content


def largest_piece(faces: np.ndarray, count: int) -> np.ndarray:
    """Tell the head from the eyeballs: the vertices of the largest connected piece.

    Example:
        >>> largest_piece(np.array([[0, 1, 2], [1, 2, 3], [4, 5, 6]]), count=7).astype(int).tolist()
        [1, 1, 1, 1, 0, 0, 0]
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = scipy.sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    return label == np.bincount(label).argmax()


def landmarks(
    folder: Path, mean: np.ndarray, faces: np.ndarray, skin: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Path]]:
    """Give the 68 landmarks as three weighted vertices each, and the embedding files that they came from.

    A full static embedding (68 points) is taken as it is. With the 51 inner points alone, the jaw line is that of
    the contour embedding in frontal view, or else transferred from the embedded face model.

    Raises:
        MGCError: if the folder has no embedding.
    """
    full = _first(folder, FULL_EMBEDDINGS)
    if full is not None:
        index, weights = _vertices(_full_embedding(full), faces, full)
        if len(index) == 68:
            return index, weights, [full]
        raise MGCError(f"{full}: expected the static embedding of 68 landmarks, got {len(index)}")
    static = _first(folder, STATIC_EMBEDDINGS)
    if static is None:
        raise MGCError(
            f"{folder} has no landmark embedding. Put one beside the model: {', '.join(FULL_EMBEDDINGS[:1])} "
            f"(of DECA) or {STATIC_EMBEDDINGS[0]} (of FLAME)"
        )
    index, weights = _vertices(_static_embedding(static), faces, static)
    if len(index) != STATIC_COUNT:
        raise MGCError(f"{static}: expected {STATIC_COUNT} landmarks, got {len(index)}")
    contour = _first(folder, CONTOUR_EMBEDDINGS)
    if contour is not None:
        jaw_index, jaw_weights = _vertices(_frontal_contour(contour), faces, contour)
        return np.concatenate([jaw_index, index]), np.concatenate([jaw_weights, weights]), [static, contour]
    positions = (mean[index] * weights[..., None]).sum(axis=1)
    known = {17 + number: position for number, position in enumerate(positions)}
    template = read_face_model(PACKAGE / "face_models" / "data" / "makehuman.npz")
    all_index, all_weights = transfer_landmarks(mean, faces, known, template, skin)
    return np.concatenate([all_index[:17], index]), np.concatenate([all_weights[:17], weights]), [static]


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _vertices(embedding: Embedding, faces: np.ndarray, path: Path) -> Embedding:
    triangles, weights = embedding
    triangles, weights = triangles.reshape(-1).astype(np.int64), weights.reshape(-1, 3).astype(np.float64)
    if len(triangles) != len(weights) or triangles.min() < 0 or triangles.max() >= len(faces):
        raise MGCError(f"{path}: its triangles and weights do not fit a model of {len(faces)} triangles")
    if np.abs(weights.sum(axis=1) - 1).max() > 1e-3:
        raise MGCError(f"{path}: its barycentric weights do not sum to 1")
    return faces[triangles], weights


def _full_embedding(path: Path) -> Embedding:
    return _pair(path, ("full_lmk_faces_idx", "full_lmk_bary_coords"), ("lmk_face_idx", "lmk_b_coords"))


def _static_embedding(path: Path) -> Embedding:
    return _pair(path, ("lmk_face_idx", "lmk_b_coords"), ("static_lmk_faces_idx", "static_lmk_bary_coords"))


def _frontal_contour(path: Path) -> Embedding:
    """The contour's rows are yaw angles; the first is frontal."""
    triangles, weights = _pair(path, ("lmk_face_idx", "lmk_b_coords"))
    return triangles[0], weights[0]


def _pair(path: Path, *keys: tuple[str, str]) -> Embedding:
    content = read_arrays(path)
    for triangles, weights in keys:
        if triangles in content:
            return take(content, triangles, path), take(content, weights, path)
    raise MGCError(f"{path} has no `{keys[0][0]}`: it is another file, or another version of it")
