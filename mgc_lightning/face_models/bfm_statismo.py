"""Basel Face Models 2017 and 2019: HDF5 files in statismo's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.bfm import ALBEDO, EXPRESSION, IDENTITY, LICENCE, open_h5
from mgc_lightning.face_models.conversion import RawFaceModel, directions, finish, take
from mgc_lightning.face_models.landmark_transfer import transfer_landmarks
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.face_models.storage import read_face_model
from mgc_lightning.files.places import PACKAGE

LANDMARKS = "metadata/landmarks/json"
NAMED = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "center.nose.attachement_to_philtrum": 33,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
    "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}
"""The file's landmark names that are iBUG points (0-based); left and right are the person's."""
NEEDED = (36, 39, 42, 45, 48, 54)


def load_bfm17(path: Path) -> FaceModelData:
    """Load BFM 2017: `model2017-1_bfm_nomouth.h5` or `model2017-1_face12_nomouth.h5`.

    Raises:
        MGCError: if the file is not such a model, is cut off, or holds other units.
    """
    return _load(path, "bfm17")


def load_bfm19(path: Path) -> FaceModelData:
    """Load BFM 2019: `model2019_bfm.h5`, `model2019_face12.h5` or `model2019_fullHead.h5`.

    Raises:
        MGCError: if the file is not such a model, is cut off, or holds other units.
    """
    return _load(path, "bfm19")


def _load(path: Path, name: str) -> FaceModelData:
    """Load shape, expression (mm) and colour ([0, 1]) models; bases times the root of their variances."""
    with open_h5(path) as file:
        neutral = take(file, "shape/model/mean", path).reshape(-1, 3)
        count = len(neutral)

        def basis(group: str, columns: int) -> np.ndarray:
            matrix = take(file, f"{group}/model/pcaBasis", path, (3 * count, None))
            variance = take(file, f"{group}/model/pcaVariance", path, (matrix.shape[1],))
            return directions(matrix[:, :columns] * np.sqrt(variance[:columns]))

        # The expression model has a mean of its own, a small offset of the neutral face.
        offset = take(file, "expression/model/mean", path, (3 * count,)).reshape(-1, 3)
        cells = take(file, "shape/representer/cells", path)
        identity, expression = basis("shape", IDENTITY), basis("expression", EXPRESSION)
        albedo_mean = take(file, "color/model/mean", path, (3 * count,)).reshape(-1, 3)
        albedo_basis = basis("color", ALBEDO)
        named = read_named_landmarks(file, path)
    mean = neutral + offset
    faces = (cells.T if cells.shape[0] == 3 else cells).astype(np.int64)
    # The named points lie on the neutral mean, not on its sum with the expression model's.
    known = {NAMED[key]: mean[np.linalg.norm(neutral - point, axis=1).argmin()] for key, point in named.items()}
    template = read_face_model(PACKAGE / "face_models" / "data" / "makehuman.npz")
    index, weights = transfer_landmarks(mean, faces, known, template)
    return finish(
        RawFaceModel(
            name=name,
            licence=LICENCE,
            mean=mean,
            identity_basis=identity,
            expression_basis=expression,
            faces=faces,
            landmarks68_index=index,
            landmarks68_weights=weights,
            albedo_mean=albedo_mean,
            albedo_basis=albedo_basis,
            notes={"landmarks": f"named in the file: {sorted(known)}; the others transferred from the embedded model"},
        ),
        [path],
    )


def read_named_landmarks(file: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    """Read the file's own landmarks, those that are iBUG points: positions (3,) in mm by name.

    Raises:
        MGCError: if eye or mouth corners are not among them.

    Example:
        >>> eyes = [f"{side}.eye.corner_{end}" for side in ("right", "left") for end in ("outer", "inner")]
        >>> names = [*eyes, "right.lips.corner", "left.lips.corner", "a point of no use"]
        >>> points = [{"id": name, "coordinates": [10.0 * place, 0.0, 0.0]} for place, name in enumerate(names)]
        >>> file = {LANDMARKS: np.array(json.dumps(points).encode(), dtype=object)}
        >>> len(read_named_landmarks(file, Path("model2019_bfm.h5")))  # those that are iBUG points
        6
    """
    stored = take(file, LANDMARKS, path)
    raw = stored.tobytes() if stored.dtype.kind in "uS" else stored.item()
    try:
        text = (raw.decode() if isinstance(raw, bytes) else str(raw)).strip("\x00")
        entries = {entry["id"]: np.asarray(entry["coordinates"], dtype=np.float64) for entry in json.loads(text)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MGCError(f"{path}: `{LANDMARKS}` cannot be read ({error})") from error
    named = {name: point for name, point in entries.items() if name in NAMED}
    missing = [name for name, index in NAMED.items() if index in NEEDED and name not in named]
    if missing:
        raise MGCError(f"{path}: `{LANDMARKS}` names no {', '.join(missing)}")
    return named
