"""Score a folder of predictions by NoW: over cores, and on from where it was stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.evaluation.benchmark import BenchmarkRun, progress, refuse_missing, score_predictions
from mgc_lightning.evaluation.journal import Journal, decode_array, encode_array, resume_key
from mgc_lightning.evaluation.now.checks import check_predictions
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import NoWPrediction, find_predictions, read_prediction
from mgc_lightning.evaluation.now.results import NoWFolder, write_results
from mgc_lightning.evaluation.settings import NoWSplit
from mgc_lightning.metrics.now.evaluate import now_error
from mgc_lightning.metrics.now.scores import NoWScores, ScoredPrediction
from mgc_lightning.metrics.now.units import Unit

logger = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
"""Raised when results of older runs may no longer be reused."""


@dataclass(frozen=True)
class Protocol:
    """Choose the benchmark: `unit` None for the usual one, else metrical; see `align_landmarks`."""

    unit: Unit | None = None
    corrected_start: bool = False


def benchmark_now(
    dataset: NoWDataset | Path,
    predictions: Path,
    output: Path,
    *,
    split: NoWSplit = "validation",
    challenge: str | None = None,
    metrical: Unit | None = None,
    corrected_start: bool = False,
    allow_missing: bool = False,
    skip_checks: bool = False,
    jobs: int = 1,
) -> BenchmarkRun[NoWScores, NoWFolder]:
    """Check, score and write: JSON, the official distances file, its summary, the cumulative curve.

    Args:
        dataset: the evaluator's folder: image list, scans, landmarks.
        predictions: folder of SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with seven landmarks in IMAGE.npy (or .txt).
        output: the JSON file; the others go to a folder of its name, where a stopped run goes on.
        split: `validation` or `test`.
        challenge: one challenge only.
        metrical: "mm", "cm" or "m" of the predictions scores the metrical benchmark, which keeps their scale.
        corrected_start: metrical only, see `align_landmarks`.
        allow_missing: score what is there.
        skip_checks: do not check units and the order of landmarks.
        jobs: processes.

    Raises:
        MGCError: if the data set or a prediction is missing or cannot be read, or predictions look wrong.
    """
    folder = NoWFolder(output, metrical is not None, challenge)
    if corrected_start and metrical is None:
        raise MGCError("`corrected_start=True` is an option of the metrical benchmark: give `metrical` too")
    check_choice("split", split, NoWSplit)
    check_choice("metrical", metrical or "mm", Unit)
    dataset = dataset if isinstance(dataset, NoWDataset) else NoWDataset(dataset)
    images = dataset.images(split, challenge)
    found, missing = find_predictions(predictions, images)
    refuse_missing(predictions, "NoW", missing, len(found), allow_missing)
    for line in [] if skip_checks else check_predictions(dataset, found, metrical):
        logger.warning("warning: %s", line)
    scored = score_folder(dataset, found, Protocol(metrical, corrected_start), folder, jobs)
    results = {result.name: result for result in progress(scored, "NoW", len(found))}
    scores = NoWScores([results[prediction.name] for prediction in found])
    write_results(folder, scores, missing, [image.line for image in images])
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
