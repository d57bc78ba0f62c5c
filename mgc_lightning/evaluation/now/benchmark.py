"""Score a folder of predictions by NoW: over cores, and on from where it was stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.benchmark import BenchmarkRun, progress, refuse_missing, score_predictions
from mgc_lightning.evaluation.journal import Journal, decode_array, encode_array, resume_key
from mgc_lightning.evaluation.now.checks import check_predictions
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import (
    NoWPrediction,
    find_predictions,
    meshes_without_landmarks,
    read_prediction,
)
from mgc_lightning.evaluation.now.results import NoWFolder, write_results
from mgc_lightning.evaluation.origin import refuse_inside
from mgc_lightning.evaluation.settings import NoWSettings
from mgc_lightning.metrics.now.evaluate import now_error
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.scores import NoWScores, ScoredPrediction

logger = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
"""Raised when results of older runs may no longer be reused."""


DEFAULTS = NoWSettings()


@dataclass(frozen=True)
class Protocol:
    """Choose the benchmark: `unit` None for the usual one, else metrical; see `align_landmarks`."""

    unit: Unit | None = None
    corrected_start: bool = False


def benchmark_now(
    dataset: NoWDataset | str | Path,
    predictions: str | Path,
    output: str | Path,
    settings: NoWSettings = DEFAULTS,
) -> BenchmarkRun[NoWScores, NoWFolder]:
    """Check, score and write: JSON, the official distances file, its summary, the cumulative curve.

    Args:
        dataset: the evaluator's folder: image list, scans, landmarks.
        predictions: folder of SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with seven landmarks in IMAGE.npy (or .txt).
        output: the JSON file; the others go to a folder of its name, where a stopped run goes on.
        settings: which images are scored, and how.

    Raises:
        MGCError: if the data set or a prediction is missing or cannot be read, predictions look wrong, or `output` lies
            in the data set.

    Example:
        `mgc synthesize now --output now` has written a set with predictions.

        >>> predictions = Path("now/predictions/mean_face")
        >>> run = benchmark_now(Path("now"), predictions, Path("mean_face.json"))  # doctest: +SKIP
        >>> len(run.scores.predictions), run.missing, run.scores.total.median < 3.0  # mm  # doctest: +SKIP
        (40, [], True)
    """
    predictions, output = Path(predictions), Path(output)
    unit = settings.unit
    folder = NoWFolder(output, unit is not None, settings.challenge)
    dataset = dataset if isinstance(dataset, NoWDataset) else NoWDataset(dataset)
    refuse_inside(output, dataset.root)
    found, missing = find_predictions(predictions, dataset, settings.split, settings.challenge)
    bare = meshes_without_landmarks(predictions, dataset.images(settings.split, settings.challenge))
    because = f"{len(bare)} of them have a mesh, such as {bare[0]}, but no landmarks. " if bare else ""
    hint = "The seven points of a mesh lie beside it in a .npy or .txt of its name. "
    refuse_missing(predictions, "NoW", missing, len(found), settings.allow_missing, because + hint if bare else "")
    if bare:
        logger.warning("warning: %s%s", because, hint)
    for line in [] if settings.skip_checks else check_predictions(dataset, found, unit):
        logger.warning("warning: %s", line)
    protocol = Protocol(unit, settings.corrected_start)
    scored = score_folder(dataset, found, protocol, folder, settings.jobs)
    results = {result.name: result for result in progress(scored, "NoW", len(found))}
    scores = NoWScores([results[prediction.name] for prediction in found])
    write_results(folder, scores, missing, [image.line for image in dataset.images(settings.split, settings.challenge)])
    if not missing:
        _journal(folder).forget()
    return BenchmarkRun(scores, missing, folder)


def score_folder(
    dataset: NoWDataset, predictions: Sequence[NoWPrediction], protocol: Protocol, folder: NoWFolder, jobs: int = 1
) -> Iterator[ScoredPrediction]:
    """Yield the errors of every prediction as it is done, first those that an earlier run has finished.

    Args:
        dataset: for the scans.
        predictions: what is scored.
        protocol: which benchmark.
        folder: where finished predictions are kept.
        jobs: processes.
    """
    score = partial(score_prediction, dataset=dataset, protocol=protocol)
    key = partial(prediction_key, dataset=dataset, protocol=protocol)
    return score_predictions(predictions, score, key, _journal(folder), jobs)


def prediction_key(prediction: NoWPrediction, dataset: NoWDataset, protocol: Protocol) -> str:
    """Fingerprint what decides the errors of a prediction."""
    files = (*prediction.files, *dataset.scan_files(prediction.image.subject))
    return resume_key(("NoW", PROTOCOL_VERSION, protocol), files)


def score_prediction(prediction: NoWPrediction, dataset: NoWDataset, protocol: Protocol) -> ScoredPrediction:
    """Read and score one prediction.

    Raises:
        MGCError: if it cannot be scored; the message names the file.
    """
    scan = dataset.scan(prediction.image.subject)
    try:
        error = now_error(scan, *read_prediction(prediction), protocol.unit, protocol.corrected_start)
    except MGCError as problem:
        known = any(str(path) in str(problem) for path in prediction.files)
        raise MGCError(str(problem) if known else f"{prediction.mesh}: {problem}") from problem
    return ScoredPrediction(prediction.name, error.distances, error.alignment.reflected)


def _journal(folder: NoWFolder) -> Journal[ScoredPrediction]:
    return Journal(folder.finished, _encode, _decode)


def _encode(result: ScoredPrediction) -> dict[str, Any]:
    return {"distances": encode_array(result.distances), "reflected": result.reflected}


def _decode(name: str, row: dict[str, Any]) -> ScoredPrediction:
    return ScoredPrediction(name, decode_array(row["distances"]), bool(row["reflected"]))
