"""What to tell before scoring: landmarks in another order, predictions in another unit."""

from __future__ import annotations

from mgc_lightning.arguments.checked import checked
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import NoWPrediction, read_landmarks
from mgc_lightning.metrics.now.landmarks import SWAPPED, order_problem, unit_problem
from mgc_lightning.metrics.now.names import Unit

SYSTEMATIC = 0.5
"""Share of predictions from which a problem is one of the method, not of an image."""


@checked
def check_predictions(dataset: NoWDataset, predictions: list[NoWPrediction], unit: Unit | None) -> list[str]:
    """Read all landmarks and say what looks wrong, an image a line.

    Swapped sides are only reported, because the protocol allows reflections.

    Args:
        dataset: for the scans' landmarks.
        predictions: what is checked.
        unit: of the metrical benchmark, or None.

    Raises:
        MGCError: if landmarks cannot be read, or more than half of the predictions have a wrong unit or order.
    """
    problems: dict[str, str] = {}
    grave = []
    for item in predictions:
        landmarks = read_landmarks(item.landmarks)
        scan = dataset.scan(item.image.subject)
        order = order_problem(landmarks, scan.landmarks)
        size = unit_problem(landmarks, unit) if unit is not None else None
        if order or size:
            problems[item.name] = "; ".join(part for part in (order, size) if part)
        if size or (order and not order.startswith(SWAPPED)):
            grave.append(item.name)
    if len(grave) > SYSTEMATIC * len(predictions):
        raise MGCError(
            f"{len(grave)} of {len(predictions)} predictions look wrong. {grave[0]}: {problems[grave[0]]}. "
            "Mend the predictions, or give `skip_checks=True` to score them as they are"
        )
    return [f"{name}: {text}" for name, text in problems.items()]
