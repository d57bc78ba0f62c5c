"""Convert face models that their owners distribute, once, into the user's cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.face_models import available_face_models, converted_folder
from mgc_lightning.face_models.bfm import load_bfm09, load_bfm09_deep3d
from mgc_lightning.face_models.bfm_statismo import load_bfm17, load_bfm19
from mgc_lightning.face_models.flame import load_flame2020, load_flame2023
from mgc_lightning.face_models.ict import load_ict
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.face_models.names import EMBEDDED, OWNERS_FILES, ImportedModel
from mgc_lightning.face_models.storage import read_face_model, save_face_model
from mgc_lightning.files.reading import reading, stand_in

LOADERS: dict[ImportedModel, Callable[[Path], FaceModelData]] = {
    "bfm09": load_bfm09,
    "bfm09-deep3d": load_bfm09_deep3d,
    "bfm17": load_bfm17,
    "bfm19": load_bfm19,
    "flame2020": load_flame2020,
    "flame2023": load_flame2023,
    "ict": load_ict,
}


def import_face_model(
    kind: ImportedModel, source: str | Path, name: str | None = None, folder: str | Path | None = None
) -> Path:
    """Convert a face model and keep it.

    Args:
        kind: whose model it is.
        source: the owner's file or folder.
        name: under which `load_face_model` finds it; `kind` where None.
        folder: where it is kept, the user's cache where None.

    Returns:
        The safetensors file.

    Raises:
        MGCError: if the source cannot be read, is another file, or the name is not allowed.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> path = import_face_model("flame2023", "FLAME2023/", name="flame")  # doctest: +SKIP
        >>> load_face_model("flame").layout.identity  # doctest: +SKIP
        300
    """
    check_choice("kind", kind, ImportedModel)
    name = name or kind
    if name == EMBEDDED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise MGCError(f"A face model cannot be named `{name}`: choose a plain name other than `{EMBEDDED}`")
    path = Path(source).expanduser()
    if not path.exists():
        raise MGCError(f"{path} does not exist; `{kind}` is converted from {OWNERS_FILES[kind]}")
    data = read_owners_files(kind, path)
    data.info.name = name
    target = (converted_folder() if folder is None else Path(folder)) / f"{name}.safetensors"
    return save_face_model(data, target, half=False)


def read_owners_files(kind: ImportedModel, path: Path) -> FaceModelData:
    """Read a face model as its owners distribute it; whatever is wrong with their files is told in one message.

    Raises:
        MGCError: if it cannot be read, or is another file.
    """
    try:
        with reading(path, f"cannot be converted as `{kind}`"):
            return LOADERS[kind](path)
    except MGCError as error:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        # What stands in a file's place explains whatever its reader says.
        told = next((f"{file}: {said}" for file in files if file.is_file() and (said := stand_in(file))), None)
        if told is None:
            raise
        raise MGCError(told) from error


class ModelEntry(NamedTuple):
    """Describe an installed face model, or say why it cannot be read."""

    name: str
    path: Path
    data: FaceModelData | None
    error: str


def list_face_models() -> list[ModelEntry]:
    """Read every face model that `load_face_model` knows by name.

    Example:
        >>> [(entry.name, entry.data.mean.shape) for entry in list_face_models() if entry.name == "makehuman"]
        [('makehuman', (4032, 3))]
    """
    entries = []
    for name, path in available_face_models().items():
        try:
            entries.append(ModelEntry(name, path, read_face_model(path), ""))
        except MGCError as error:
            entries.append(ModelEntry(name, path, None, str(error)))
    return entries
