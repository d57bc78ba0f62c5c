"""Face models by name or path: the embedded one, those converted into the cache, any file."""

from __future__ import annotations

from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.face_models.landmark_sets import choose_landmarks, split_name
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.face_models.names import EMBEDDED
from mgc_lightning.face_models.storage import read_face_model
from mgc_lightning.files.places import PACKAGE, cache_folder


def converted_folder() -> Path:
    """Give the folder of converted face models in the user's cache."""
    return cache_folder() / "face_models"


def available_face_models() -> dict[str, Path]:
    """Give the names that `load_face_model` knows here, and their files.

    Example:
        >>> "makehuman" in available_face_models()
        True
    """
    models = {EMBEDDED: PACKAGE / "face_models" / "data" / f"{EMBEDDED}.npz"}
    if converted_folder().is_dir():
        models |= {path.stem: path for path in sorted(converted_folder().glob("*.safetensors"))}
    return models


def face_model_path(name_or_path: str | Path) -> Path:
    """Resolve a name (`makehuman`, or a converted model) or a path to a file.

    Raises:
        MGCError: if there is no such model; the message lists those found.

    Example:
        >>> face_model_path("makehuman").name
        'makehuman.npz'
    """
    models = available_face_models()
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.suffix in (".npz", ".safetensors"):
        return path
    raise MGCError(
        f"No face model `{name_or_path}`. Found: {', '.join(models)}. Give one of these names, "
        "the path of a .npz or .safetensors face model, or convert your copy of BFM, FLAME or ICT into "
        f"{converted_folder()}"
    )


def load_face_model_data(name_or_path: str | Path = EMBEDDED) -> FaceModelData:
    """Read the arrays of a face model by name or path; `name@set` chooses one of its sets of landmarks.

    Example:
        >>> data = load_face_model_data("makehuman")
        >>> data.levels, data.mean.shape, data.info.expression_names[:2]
        (2, (4032, 3), ['browDownLeft', 'browDownRight'])
    """
    name, landmarks = split_name(str(name_or_path))
    data = read_face_model(face_model_path(name))
    return choose_landmarks(data, landmarks) if landmarks else data


def load_face_model(name_or_path: str | Path = EMBEDDED, level: int = 0) -> FaceModel:
    """Load a face model.

    Args:
        name_or_path: `makehuman`, the name of a converted model in the cache, or a file; `bfm09@official`
            takes a named set of the model's landmarks.
        level: 0 the control mesh (fast), 1 the subdivided mesh (looks).

    Raises:
        MGCError: if it is not found, not a face model, or lacks the level.

    Example:
        >>> import torch
        >>> model = load_face_model()
        >>> model.layout.sizes
        {'identity': 80, 'albedo': 40, 'expression': 52, 'pose': 6, 'light': 27}
        >>> identity = torch.zeros(80)
        >>> identity[0] = 2.0  # two standard deviations along the first direction
        >>> model.shape(identity).shape, model.landmarks68(model.mean).shape
        (torch.Size([4032, 3]), torch.Size([68, 3]))
    """
    return FaceModel(load_face_model_data(name_or_path), level)
