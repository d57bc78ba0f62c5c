"""`mgc face-model import`: face models that their owners distribute."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import AnyPath, Metavar
from mgc_lightning.face_models.names import ImportedModel


def import_model(kind: Annotated[ImportedModel, Metavar("MODEL")], *, source: AnyPath, name: str | None = None) -> int:
    """Convert your copy of BFM, FLAME or ICT-FaceKit once, into the cache; every command then knows it by name.

    Args:
        kind: whose model it is; `mgc face-model list` says what each is converted from.
        source: the owner's file or folder.
        name: name under which it is kept (default: MODEL).
    """
    from mgc_lightning.face_models import FaceModel, read_face_model
    from mgc_lightning.face_models.importing import import_face_model
    from mgc_lightning.face_models.landmark_proportions import departures

    path = import_face_model(kind, source, name)
    data = read_face_model(path)
    model = FaceModel(data)
    print(model)
    print(f"Licence: {data.info.licence}")
    for origin in data.info.sources[:3]:
        print(f"From {origin.name}, sha256 {origin.sha256}")
    for departure in departures(model.landmarks68(model.mean).numpy()):
        print(f"Its landmarks are not quite iBUG's, which detectors find: {departure}")
    print(f"Kept as {path}; use it with `face_model: {data.info.name}`")
    return 0
