"""`mgc synthesize realy`: a synthetic data set in REALY's layout."""

from __future__ import annotations

from mgc_lightning.arguments.types import Folder
from mgc_lightning.synthetic.set_settings import REALYSetSettings


def synthesize_realy(*, output: Folder, settings: REALYSetSettings) -> int:
    """Write a synthetic data set in REALY's official layout (CC0): scans, keypoints, images, predictions.

    Args:
        output: new or empty folder.
        settings: the set.
    """
    from mgc_lightning.evaluation.realy.topology import topology_of
    from mgc_lightning.face_models import EMBEDDED, load_face_model
    from mgc_lightning.synthetic.realy_set import write_realy_set
    from mgc_lightning.synthetic.set_files import GROUND_TRUTH

    model = load_face_model(EMBEDDED, settings.level)
    write_realy_set(output, model, settings)
    print(
        f"{output}: {settings.subjects} people, {settings.subjects * (1 + settings.views)} photographs. Score its "
        f"ground truth:\n  mgc benchmark realy --dataset {output} --predictions {output}/predictions/{GROUND_TRUTH} "
        f"--topology {topology_of(model).name} --output realy_scores.json"
    )
    return 0
