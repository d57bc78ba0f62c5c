"""Score a folder of predictions by REALY: over cores, and on from where it was stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.benchmark import BenchmarkRun, progress, refuse_missing, score_predictions
from mgc_lightning.evaluation.journal import Journal, resume_key
from mgc_lightning.evaluation.origin import refuse_inside
from mgc_lightning.evaluation.realy.dataset import REALYDataset
from mgc_lightning.evaluation.realy.error_map import error_map_file, write_error_maps
from mgc_lightning.evaluation.realy.predictions import REALYPrediction, find_predictions, read_prediction
from mgc_lightning.evaluation.realy.results import REALYFolder, write_results
from mgc_lightning.evaluation.realy.topology import load_topology, read_mask
from mgc_lightning.evaluation.settings import REALYSettings
from mgc_lightning.metrics.realy.evaluate import realy_errors
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import REALYScores, ScoredPrediction
from mgc_lightning.metrics.realy.topology import Topology

PROTOCOL_VERSION = 1
"""Raised when results of older runs may no longer be reused."""
DEFAULTS = REALYSettings()


def benchmark_realy(
    dataset: REALYDataset | str | Path,
    predictions: str | Path,
    output: str | Path,
    topology: Topology | str | Path,
    settings: REALYSettings = DEFAULTS,
) -> BenchmarkRun[REALYScores, REALYFolder]:
    """Check, score and write: JSON, the official text file, error maps.

    Args:
        dataset: folder with `REALY_HIFI3D_keypoints/`, `REALY_scan_region/` and `metrical_scale.txt`.
        predictions: folder of meshes `<subject>.obj` or `<subject>_<view>.obj` (or .ply).
        output: the JSON file; the others go to a folder of its name, where a stopped run goes on.
        topology: of the predictions; for names and paths see `load_topology`.
        settings: which predictions are scored, and how.

    Raises:
        MGCError: if the data set, the topology or a prediction is missing or cannot be read, or `output` lies
            in the data set.

    Example:
        `mgc synthesize realy --output realy` has written a set with predictions.

        >>> predictions = Path("realy/predictions/mean_face")
        >>> run = benchmark_realy(Path("realy"), predictions, Path("mean_face.json"), "makehuman-1")  # doctest: +SKIP
        >>> len(run.scores.predictions), run.scores.total < 3.0  # mm  # doctest: +SKIP
        (10, True)
    """
    predictions, output = Path(predictions), Path(output)
    folder = REALYFolder(output)
    dataset = dataset if isinstance(dataset, REALYDataset) else REALYDataset(dataset)
    refuse_inside(output, dataset.root)
    topology = topology if isinstance(topology, Topology) else load_topology(topology)
    if settings.mask is not None:
        topology = replace(topology, mask=read_mask(settings.mask, topology.vertex_count))
    found, missing = find_predictions(predictions, dataset, settings.view)
    refuse_missing(predictions, "REALY", missing, len(found), settings.allow_missing)
    scored = score_folder(dataset, found, topology, folder, settings.jobs)
    results = {result.name: result for result in progress(scored, "REALY", len(found))}
    scores = REALYScores([results[prediction.name] for prediction in found])
    write_results(folder, scores, missing)
    if not missing:
        _journal(folder).forget()
    return BenchmarkRun(scores, missing, folder)


def score_folder(
    dataset: REALYDataset,
    predictions: Sequence[REALYPrediction],
    topology: Topology,
    folder: REALYFolder,
    jobs: int = 1,
) -> Iterator[ScoredPrediction]:
    """Yield the errors of every prediction as it is done, first those that an earlier run has finished.

    Args:
        dataset: for the scans.
        predictions: what is scored.
        topology: of the predictions.
        folder: where error maps and finished predictions go.
        jobs: processes.
    """
    score = partial(score_prediction, dataset=dataset, topology=topology, error_maps=folder.error_maps)
    key = partial(prediction_key, dataset=dataset, digest=topology_digest(topology))
    return score_predictions(predictions, score, key, _journal(folder), jobs)


def prediction_key(prediction: REALYPrediction, dataset: REALYDataset, digest: str) -> str:
    """Fingerprint what decides the errors of a prediction; `digest` is its topology's."""
    subject = prediction.image.subject
    files = (*prediction.files, *dataset.scan_files(subject))
    return resume_key(("REALY", PROTOCOL_VERSION, digest, dataset.scale(subject)), files)


def topology_digest(topology: Topology) -> str:
    """Fingerprint what of a topology decides results.

    Example:
        >>> from mgc_lightning.evaluation.realy.topology import load_topology
        >>> topology = load_topology("makehuman")
        >>> other = replace(topology, mask=np.arange(topology.vertex_count) < 3000)
        >>> topology_digest(other) == topology_digest(topology)  # what is measured to is part of it
        False
    """
    digest = hashlib.sha256()
    for array in (topology.faces, topology.triangles, topology.weights, topology.mask):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def score_prediction(
    prediction: REALYPrediction, dataset: REALYDataset, topology: Topology, error_maps: Path
) -> ScoredPrediction:
    """Read and score one prediction, and write its error maps.

    Raises:
        MGCError: if it cannot be scored; the message names the file.
    """
    try:
        verts, faces = read_prediction(prediction, topology)
        result = realy_errors(verts, topology, dataset.scan(prediction.image.subject), faces)
    except MGCError as problem:
        known = any(str(path) in str(problem) for path in prediction.files)
        raise MGCError(str(problem) if known else f"{prediction.mesh}: {problem}") from problem
    write_error_maps(error_maps / prediction.name, result)
    return ScoredPrediction(prediction.name, result.errors, result.alignment.reflected)


def _journal(folder: REALYFolder) -> Journal[ScoredPrediction]:
    return Journal(folder.finished, _encode, partial(_decode, error_maps=folder.error_maps))


def _encode(result: ScoredPrediction) -> dict[str, Any]:
    return {"errors": result.errors.tolist(), "reflected": result.reflected}


def _decode(name: str, row: dict[str, Any], error_maps: Path) -> ScoredPrediction:
    if not all(error_map_file(error_maps / name, region).is_file() for region in REGIONS):
        raise ValueError("its error maps are gone: only scoring draws them again")
    return ScoredPrediction(name, np.array(row["errors"], np.float64), bool(row["reflected"]))
