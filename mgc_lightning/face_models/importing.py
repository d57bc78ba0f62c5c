"""Convert face models that their owners distribute, once, into the user's cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import EMBEDDED, available_face_models, converted_folder
from mgc_lightning.face_models.bfm import load_bfm09, load_bfm09_deep3d
from mgc_lightning.face_models.bfm_statismo import load_bfm17, load_bfm19
from mgc_lightning.face_models.flame import load_flame2020, load_flame2023
from mgc_lightning.face_models.ict import load_ict
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.face_models.storage import read_face_model, save_face_model


class Source(NamedTuple):
    """Describe what can be imported: its loader, and the file or folder that it reads."""

    load: Callable[[Path], FaceModelData]
    what: str


SOURCES = {
    "bfm09": Source(load_bfm09, "bfm09_trim_exp_uv_presplit.h5 of MGCNet"),
    "bfm09-deep3d": Source(load_bfm09_deep3d, "BFM_model_front.mat of Deep3DFaceRecon"),
    "bfm17": Source(load_bfm17, "model2017-1_bfm_nomouth.h5 or model2017-1_face12_nomouth.h5"),
    "bfm19": Source(load_bfm19, "model2019_bfm.h5, model2019_face12.h5 or model2019_fullHead.h5"),
    "flame2020": Source(load_flame2020, "folder with generic_model.pkl and a landmark embedding"),
    "flame2023": Source(load_flame2023, "folder with flame2023.pkl and a landmark embedding"),
    "ict": Source(load_ict, "folder FaceXModel of ICT-FaceKit"),
}
"""Models by the name that `mgc face-model import` takes."""


def import_face_model(kind: str, source: str | Path, name: str | None = None, folder: Path | None = None) -> Path:
    """Convert a face model and keep it.

    Args:
        kind: one of `SOURCES`.
        source: the owner's file or folder.
        name: under which `load_face_model` finds it; `kind` where None.
        folder: where it is kept, the user's cache where None.

    Returns:
        The safetensors file.

    Raises:
        MGCError: if the source cannot be read, is another file, or the name is not allowed.
    """
    if kind not in SOURCES:
        raise MGCError(f"No face model `{kind}` to import; known are {', '.join(SOURCES)}")
    name = name or kind
    if name == EMBEDDED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise MGCError(f"A face model cannot be named `{name}`: choose a plain name other than `{EMBEDDED}`")
    path = Path(source).expanduser()
    if not path.exists():
        raise MGCError(f"{path} does not exist; `{kind}` is converted from {SOURCES[kind].what}")
    data = SOURCES[kind].load(path)
    data.info.name = name
    target = (converted_folder() if folder is None else folder) / f"{name}.safetensors"
    return save_face_model(data, target, half=False)


class ModelEntry(NamedTuple):
    """Describe an installed face model, or say why it cannot be read."""

    name: str
    path: Path
    data: FaceModelData | None
    error: str


def list_face_models() -> list[ModelEntry]:
    """Read every face model that `load_face_model` knows by name."""
    entries = []
    for name, path in available_face_models().items():
        try:
            entries.append(ModelEntry(name, path, read_face_model(path), ""))
        except MGCError as error:
            entries.append(ModelEntry(name, path, None, str(error)))
    return entries
