"""`mgc synthesize now`: a synthetic NoW data set in the official layouts."""

from __future__ import annotations

from mgc_lightning.arguments.types import Folder, NameOrPath
from mgc_lightning.face_models.names import EMBEDDED
from mgc_lightning.synthetic.set_settings import NoWSetSettings


def synthesize_now(*, output: Folder, face_model: NameOrPath = EMBEDDED, settings: NoWSetSettings) -> int:
    """Write a synthetic NoW data set (scans, photographs, boxes, lists) in the official layouts.

    Args:
        output: new or empty folder.
        face_model: what the people are made of.
        settings: the set.
    """
    from mgc_lightning.face_models import FaceModel, load_face_model_data
    from mgc_lightning.synthetic.now_set import write_now_set
    from mgc_lightning.synthetic.set_files import GROUND_TRUTH

    data = load_face_model_data(face_model)
    write_now_set(output, FaceModel(data, level=data.levels - 1), settings)
    print(
        f"{output}: {settings.subjects} people, {settings.subjects * settings.images * 4} photographs. Score its "
        f"ground truth:\n  mgc benchmark now --dataset {output} --predictions {output}/predictions/{GROUND_TRUTH} "
        "--output now_scores.json"
    )
    return 0
