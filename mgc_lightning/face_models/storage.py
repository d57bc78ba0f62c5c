"""Face models on disk: one `.npz` (compressed) or `.safetensors` of plain arrays with readable metadata.

Bases may be half precision on disk and are float32 in memory. Nothing that could run code is ever read.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.model_data import FaceModelData, FaceModelInfo, SourceFile
from mgc_lightning.files.arrays import read_npz
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.reading import excerpt, reading
from mgc_lightning.files.weights import read_tensors, write_tensors

FORMAT = "mgc-lightning face model"
VERSION = 1

FLOATS = (
    "mean",
    "identity_basis",
    "expression_basis",
    "expression_sigma",
    "albedo_mean",
    "albedo_basis",
    "landmarks68_weights",
    "landmarks7_weights",
    "main_pose",
)
INTEGERS = ("faces", "landmarks68_index", "landmarks7_index")
OPTIONAL = ("subdivided_faces", "control_index", "uv")
HALF = ("identity_basis", "expression_basis", "albedo_mean", "albedo_basis", "uv")
"""Arrays that lose nothing visible in half precision (millimetres per sigma, colours)."""


def save_face_model(data: FaceModelData, path: str | Path, half: bool = True) -> Path:
    """Write a face model; the suffix `.npz` or `.safetensors` chooses the container.

    The bytes depend on the data alone, so two builds can be compared by their hashes.

    Args:
        data: the model; it is validated first.
        path: where to write; whole or absent afterwards.
        half: store the bases as float16.

    Raises:
        MGCError: on invalid data or another suffix.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.face_models import load_face_model_data
        >>> data = load_face_model_data()
        >>> path = save_face_model(data, Path(tempfile.mkdtemp()) / "mine.safetensors", half=False)
        >>> read_face_model(path).fingerprint() == data.fingerprint()
        True
    """
    path = Path(path)
    data.validate(f"face model `{data.info.name}`")
    arrays = _to_arrays(data, half)
    header = {"format": FORMAT, "version": VERSION, **asdict(data.info)}
    text = json.dumps(header, ensure_ascii=False, indent=1)
    if path.suffix == ".npz":
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, metadata=np.array(text), **arrays)  # type: ignore[arg-type]
    elif path.suffix == ".safetensors":
        write_tensors(path, {key: torch.from_numpy(array) for key, array in arrays.items()}, {"face_model": text})
    else:
        raise MGCError(f"A face model is written as .npz or .safetensors, got {path.name}")
    return path


def read_face_model(path: str | Path) -> FaceModelData:
    """Read a face model from `.npz` or `.safetensors`.

    Raises:
        MGCError: if the file is missing, unreadable, not a face model, or has missing or misshapen arrays.

    Example:
        >>> from mgc_lightning.face_models.loading import face_model_path
        >>> read_face_model(face_model_path("makehuman")).info.name
        'makehuman'
    """
    path = Path(path)
    if not path.is_file():
        raise MGCError(f"No face model file at {path}")
    if path.suffix == ".npz":
        text, arrays = _read_npz(path)
    elif path.suffix == ".safetensors":
        text, arrays = _read_safetensors(path)
    else:
        raise MGCError(f"A face model file ends in .npz or .safetensors, got {path}")
    info = _read_info(path, text)
    missing = [key for key in (*FLOATS, *INTEGERS, "regions") if key not in arrays]
    if missing:
        raise MGCError(f"{path} is not a whole face model: missing {', '.join(missing)}; convert it again")
    with reading(path, "is not a whole face model"):
        return _from_arrays(info, arrays, path).validate(str(path))


def _to_arrays(data: FaceModelData, half: bool) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for key in (*FLOATS, *OPTIONAL, *INTEGERS):
        value = getattr(data, key)
        if value is None:
            continue
        if key in FLOATS or key == "uv":
            arrays[key] = value.astype(np.float16 if half and key in HALF else np.float32)
        else:
            arrays[key] = value.astype(np.int32)
    arrays["regions"] = data.regions.astype(np.uint8)
    if data.subdivision is not None:
        matrix = data.subdivision.tocsr()
        arrays["subdivision_data"] = matrix.data.astype(np.float32)
        arrays["subdivision_indices"] = matrix.indices.astype(np.int32)
        arrays["subdivision_indptr"] = matrix.indptr.astype(np.int32)
    arrays |= {name: np.ascontiguousarray(value) for name, value in data.extras.items()}
    return {name: np.ascontiguousarray(value) for name, value in arrays.items()}


def _from_arrays(info: FaceModelInfo, arrays: dict[str, np.ndarray], path: Path) -> FaceModelData:
    values: dict[str, Any] = {key: arrays[key].astype(np.float32) for key in FLOATS}
    values |= {key: arrays[key].astype(np.int64) for key in INTEGERS}
    for key in OPTIONAL:
        if key in arrays:
            values[key] = arrays[key].astype(np.float32 if key == "uv" else np.int64)
    values["regions"] = arrays["regions"].astype(bool)
    parts = [f"subdivision_{part}" for part in ("data", "indices", "indptr")]
    if any(part in arrays for part in parts):
        absent = [part for part in (*parts, "subdivided_faces") if part not in arrays]
        if absent:
            raise MGCError(f"{path}: the subdivision is incomplete, missing {', '.join(absent)}")
        weights, indices, indptr = (arrays[part] for part in parts)
        try:
            values["subdivision"] = scipy.sparse.csr_matrix(
                (weights.astype(np.float32), indices, indptr), shape=(len(indptr) - 1, len(values["mean"]))
            )
        except ValueError as error:
            raise MGCError(f"{path}: the subdivision does not fit the control mesh ({error})") from error
    extras = {name: value for name, value in arrays.items() if "." in name}
    return FaceModelData(info=info, extras=extras, **values)


def _read_npz(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    arrays = read_npz(path)
    text = str(arrays.pop("metadata", ""))
    return text, arrays


def _read_safetensors(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    metadata, tensors = read_tensors(path)
    return metadata.get("face_model", ""), {key: tensor.numpy() for key, tensor in tensors.items()}


def _read_info(path: Path, text: str) -> FaceModelInfo:
    try:
        header = json.loads(text)
        if header.pop("format") != FORMAT:
            raise ValueError("another format")
        version = header.pop("version")
        header["sources"] = [SourceFile(**source) for source in header["sources"]]
        info = FaceModelInfo(**header)
        newer = version > VERSION
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MGCError(
            f"{path} is not a face model of this project: its metadata does not say `{FORMAT}`. "
            "Convert BFM, FLAME or ICT files first."
        ) from error
    if newer:
        raise MGCError(
            f"{path} has format version {excerpt(str(version))}, this program reads up to {VERSION}: update it"
        )
    return info
