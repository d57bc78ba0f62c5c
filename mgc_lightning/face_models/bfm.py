"""Basel Face Models: BFM 2009 as MGCNet and as Deep3DFaceRecon distribute it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.errors import MGCError, MissingExtraError, require
from mgc_lightning.face_models.conversion import RawFaceModel, directions, finish, single_vertices, take
from mgc_lightning.face_models.model_data import RENDER_REGION, FaceModelData
from mgc_lightning.files.matlab import read_mat
from mgc_lightning.files.reading import reason

LICENCE = "Basel Face Model licence: non-commercial research, no redistribution (University of Basel)"
OFFICIAL_MAIN_POSE = (0.0, 0.0, 3.141593, 0.17440447, 9.1053238, 4994.3359)
"""Pose that MGCNet adds to its network's output (MGCNet sec. 3.2)."""
IDENTITY, ALBEDO, EXPRESSION = 80, 80, 64
"""Directions that MGCNet uses."""

# fmt: off
OFFICIAL_LANDMARKS68 = (
    16645, 16889, 16468, 16265, 32245, 32940, 33376, 33655, 33839, 34023, 34313, 34767, 35473, 27817, 27609,
    27209, 27441, 28112, 28788, 29178, 29383, 29550, 30289, 30455, 30663, 31057, 31717, 8162, 8178, 8188, 8193,
    6516, 7244, 8205, 9164, 9884, 2216, 3887, 4921, 5829, 4802, 3641, 10456, 11354, 12384, 14067, 12654, 11493,
    5523, 6026, 7496, 8216, 8936, 10396, 10796, 9556, 8837, 8237, 7637, 6916, 5910, 7385, 8224, 9065, 10538,
    8830, 8230, 7630,
)
"""Vertices that the official program takes for the landmarks of its 35709-vertex mesh (MGCNet's program). Each is
one more than intended: 1-based numbers used from 0. The released weights expect them; new training should not."""
# fmt: on


def landmark_sets(stored: np.ndarray, one_based: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Give the right landmarks of BFM 2009, and the named sets that a config can choose.

    Args:
        stored: (68,) numbers as the file has them.
        one_based: whether the file means them from 1.

    Example:
        >>> stored = np.array(OFFICIAL_LANDMARKS68)
        >>> right, sets = landmark_sets(stored, one_based=False)
        >>> (stored - right)[:3].tolist(), sorted(sets)  # the official program counts from 1
        ([1, 1, 1], ['landmarks68.corrected', 'landmarks68.official'])
    """
    shifted = one_based or np.array_equal(stored, OFFICIAL_LANDMARKS68)
    right = stored - 1 if shifted else stored
    sets = {"landmarks68.official": stored[:, None], "landmarks68.corrected": right[:, None]}
    return right, {name: index.astype(np.int64) for name, index in sets.items()}


def load_bfm09(path: Path) -> FaceModelData:
    """Load BFM 2009 from MGCNet's `bfm09_trim_exp_uv_presplit.h5` (shape and expression in micrometres).

    Raises:
        MGCError: if the file is not that one, is cut off, or holds other units.
    """
    with open_h5(path) as file:
        mean = take(file, "shape/model/mean", path).reshape(-1, 3)
        count = len(mean)

        def basis(group: str, columns: int) -> np.ndarray:
            matrix = take(file, f"{group}/model/pcaBasis", path, (3 * count, None))
            sigma = take(file, f"{group}/model/pcaVariance", path, (matrix.shape[1],))
            # In spite of its name pcaVariance holds standard deviations.
            return directions(matrix * np.abs(sigma), columns)

        faces = take(file, "shape/representer/tri", path, (None, 3)).astype(np.int64) - 1
        stored = take(file, "shape/representer/idx_lm68", path).astype(np.int64).ravel()
        fore = take(file, "shape/representer/idx_sub", path).astype(np.int64).ravel()
        identity, expression = basis("shape", IDENTITY) / 1e3, basis("expression", EXPRESSION) / 1e3
        albedo_mean = take(file, "color/model/mean", path, (3 * count,)).reshape(-1, 3) / 255
        albedo_basis = basis("color", ALBEDO) / 255
        uv = np.asarray(file["color/model/uv"]) if "color/model/uv" in file else None
    landmarks, sets = landmark_sets(stored, one_based=False)
    index, weights = single_vertices(landmarks)
    return finish(
        RawFaceModel(
            name="bfm09",
            licence=LICENCE,
            mean=mean / 1e3,
            identity_basis=identity,
            expression_basis=expression,
            faces=faces,
            landmarks68_index=index,
            landmarks68_weights=weights,
            albedo_mean=albedo_mean,
            albedo_basis=albedo_basis,
            regions={RENDER_REGION: _mask(fore, count, path, "shape/representer/idx_sub")},
            main_pose=np.array(OFFICIAL_MAIN_POSE),
            uv=uv,
            extras=sets,
            notes={"coefficients": "as MGCNet's released weights predict them"},
        ),
        [path],
    )


def load_bfm09_deep3d(path: Path) -> FaceModelData:
    """Load BFM 2009 from Deep3DFaceRecon's `BFM_model_front.mat` (decimetres, bases times sigma, 1-based).

    Raises:
        MGCError: if the file is not that one, is cut off, or holds other units.
    """
    file = open_mat(path)
    if "shapeMU" in file and "meanshape" not in file:
        raise MGCError(
            f"{path} is Basel's own 01_MorphableModel.mat, which has neither expressions nor landmarks. "
            "Deep3DFaceRecon's program makes BFM_model_front.mat of it and of an expression basis: convert that"
        )
    mean = take(file, "meanshape", path).reshape(-1, 3)
    count = len(mean)

    def basis(key: str, columns: int) -> np.ndarray:
        return directions(take(file, key, path, (3 * count, None)), columns)

    faces = take(file, "tri", path, (None, 3)).astype(np.int64) - 1
    stored = take(file, "keypoints", path).astype(np.int64).ravel()
    fore = take(file, "frontmask2_idx", path).astype(np.int64).ravel() - 1
    regions = {RENDER_REGION: _mask(fore, count, path, "frontmask2_idx")}
    if "skinmask" in file:
        regions["skin"] = np.asarray(file["skinmask"]).ravel() > 0.5
    landmarks, sets = landmark_sets(stored, one_based=True)
    index, weights = single_vertices(landmarks)
    return finish(
        RawFaceModel(
            name="bfm09_deep3d",
            licence=LICENCE,
            mean=100 * mean,
            identity_basis=100 * basis("idBase", IDENTITY),
            expression_basis=100 * basis("exBase", EXPRESSION),
            faces=faces,
            landmarks68_index=index,
            landmarks68_weights=weights,
            albedo_mean=take(file, "meantex", path).reshape(count, 3) / 255,
            albedo_basis=basis("texBase", ALBEDO) / 255,
            regions=regions,
            main_pose=np.array(OFFICIAL_MAIN_POSE),
            extras=sets,
        ),
        [path],
    )


def open_h5(path: Path) -> Any:
    """Open an HDF5 file.

    Raises:
        MGCError: if it is absent, cut off or no HDF5; MissingExtraError without h5py.
    """
    h5py = require("h5py", "face-models")
    try:
        return h5py.File(path, "r")
    except Exception as error:  # h5py raises what HDF5 says, in many kinds
        why = "there is no such file" if not path.is_file() else "it is no HDF5 file, or it is cut off"
        raise MGCError(f"{path} cannot be read: {why} ({reason(error)})") from error


def open_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file.

    Raises:
        MGCError: if it is absent, cut off or no MATLAB file.
    """
    try:
        return read_mat(path)
    except MissingExtraError:
        raise
    except MGCError as error:
        why = "there is no such file" if not path.is_file() else "it is no MATLAB file, or it is cut off"
        raise MGCError(f"{path} cannot be read: {why} ({error})") from error


def _mask(index: np.ndarray, count: int, path: Path, key: str) -> np.ndarray:
    if index.min() < 0 or index.max() >= count:
        raise MGCError(f"{path}: `{key}` must index {count} vertices, got {index.min()}..{index.max()}")
    mask = np.zeros(count, dtype=bool)
    mask[index] = True
    return mask
