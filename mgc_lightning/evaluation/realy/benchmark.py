"""Score a folder of predictions by REALY: over cores, and on from where it was stopped."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.dataset import REALYDataset
from mgc_lightning.evaluation.realy.error_map import write_error_maps
from mgc_lightning.evaluation.realy.predictions import (
    PredictionFile,
    of_view,
    official_order,
    read_prediction,
    subject_of,
)
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.metrics.realy.evaluate import realy_errors
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scores import RealyScores, ScoredPrediction
from mgc_lightning.metrics.realy.topology import Topology

PROTOCOL_VERSION = 1
"""Raised when results of older runs may no longer be reused."""


@dataclass(frozen=True)
class BenchmarkFolder:
    """Name the files of a run: all beside the JSON file, in a folder of its name."""

    output: Path

    @property
    def folder(self) -> Path:
        """Folder of everything but the JSON file."""
        return self.output.with_suffix("")

    @property
    def finished(self) -> Path:
        """One JSON line a finished prediction: what lets a stopped run go on."""
        return self.folder / "finished.jsonl"

    @property
    def error_text(self) -> Path:
        """The official text file."""
        return self.folder / "REALY_error.txt"

    @property
    def error_maps(self) -> Path:
        """Scan regions coloured by error, a folder a prediction."""
        return self.folder / "error_maps"


def missing_predictions(
    scans: REALYDataset, files: Sequence[PredictionFile], view: str | None, image_names: Iterable[str] = ()
) -> list[str]:
    """List what a complete set of predictions would have and this one has not.

    Args:
        scans: the data set.
        files: the predictions.
        view: `frontal` wants every subject by its plain name; `side` every side image, and a side view of every
            subject; None at least one prediction of every subject.
        image_names: names of the data set's images, where it has them.

    Raises:
        MGCError: if a prediction is of a subject that the data set does not have.
    """
    foreign = [item for item in files if item.subject not in set(scans.subjects)]
    if foreign:
        raise MGCError(
            f"{foreign[0].path}: the data set has no subject {foreign[0].subject} (it has {len(scans.subjects)}, "
            f"{scans.subjects[0]} to {scans.subjects[-1]})"
        )
    names = {item.name for item in files}
    wanted = {name for name in image_names if of_view(name, "side")} if view == "side" else set()
    covered = {subject_of(name) for name in wanted | names}
    wanted |= {str(subject) for subject in scans.subjects if view == "frontal" or subject not in covered}
    return sorted(wanted - names, key=official_order)


def score_folder(
    scans: REALYDataset,
    files: Sequence[PredictionFile],
    topology: Topology,
    paths: BenchmarkFolder,
    jobs: int = 1,
) -> Iterator[ScoredPrediction]:
    """Yield the errors of every prediction as it is done, first those that an earlier run finished.

    Args:
        scans: the data set.
        files: the predictions.
        topology: of the predictions.
        paths: where error maps and the list of finished predictions go.
        jobs: processes.
    """
    digest = topology_digest(topology)
    keys = {item.name: prediction_key(item, scans, digest) for item in files}
    finished = _read_finished(paths.finished, keys)
    yield from finished.values()
    waiting = [item for item in files if item.name not in finished]
    paths.folder.mkdir(parents=True, exist_ok=True)
    score = partial(_score, scans=scans, topology=topology, error_maps=paths.error_maps)
    with paths.finished.open("a", encoding="utf-8") as log:
        for scored in _in_parallel(score, waiting, jobs):
            row = {"name": scored.name, "key": keys[scored.name], "errors": scored.errors.tolist()}
            log.write(json.dumps(row | {"reflected": scored.reflected}) + "\n")
            log.flush()
            yield scored


def _score(item: PredictionFile, scans: REALYDataset, topology: Topology, error_maps: Path) -> ScoredPrediction:
    try:
        verts, faces = read_prediction(item.path, topology)
        result = realy_errors(verts, topology, scans.load(item.subject), faces)
    except MGCError as error:
        raise MGCError(f"{item.path}: {error}" if str(item.path) not in str(error) else str(error)) from error
    write_error_maps(error_maps / item.name, result)
    return ScoredPrediction(item.name, result.errors, result.alignment.reflected)


def _in_parallel(score: Any, items: Sequence[PredictionFile], jobs: int) -> Iterator[ScoredPrediction]:
    if jobs <= 1 or len(items) <= 1:
        yield from map(score, items)
        return
    # Processes, because factorisations hold the interpreter's lock; spawned, because torch's threads do not survive
    # a fork.
    with ProcessPoolExecutor(min(jobs, len(items)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(score, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def topology_digest(topology: Topology) -> str:
    """Fingerprint what of a topology decides results."""
    digest = hashlib.sha256()
    for array in (topology.faces, topology.triangles, topology.weights, topology.mask):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def prediction_key(item: PredictionFile, scans: REALYDataset, digest: str) -> str:
    """Fingerprint all files that decide the errors of a prediction."""
    key = hashlib.sha256(f"{PROTOCOL_VERSION} {digest} ".encode())
    key.update(item.path.read_bytes())
    for path in scans.files(item.subject):
        if not path.is_file():
            raise MGCError(f"{path}: no such file")
        key.update(path.read_bytes())
    key.update(str(scans.scale(item.subject)).encode())
    return key.hexdigest()


def _read_finished(path: Path, keys: dict[str, str]) -> dict[str, ScoredPrediction]:
    """Read the predictions of an earlier run whose inputs have not changed; a line cut short is dropped."""
    finished = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
            if keys.get(row["name"]) == row["key"]:
                finished[row["name"]] = ScoredPrediction(row["name"], np.array(row["errors"]), row["reflected"])
        except (ValueError, KeyError, TypeError):
            continue
    return finished


def run_benchmark(
    scans: REALYDataset,
    files: Sequence[PredictionFile],
    topology: Topology,
    paths: BenchmarkFolder,
    jobs: int = 1,
) -> RealyScores:
    """Score all predictions under a progress bar; arguments as of `score_folder`."""
    found = {
        scored.name: scored
        for scored in track(
            score_folder(scans, files, topology, paths, jobs),
            "REALY",
            total=len(files),
            console=Console(stderr=True),
        )
    }
    return RealyScores([found[item.name] for item in files])


def write_results(paths: BenchmarkFolder, scores: RealyScores, missing: Sequence[str]) -> None:
    """Write the JSON file and the official text file."""
    with atomic_path(paths.error_text) as temporary:
        temporary.write_text(scores.error_text(), encoding="ascii")
    with atomic_path(paths.output) as temporary:
        temporary.write_text(json.dumps(results_json(scores, missing), indent=1) + "\n", encoding="ascii")


def results_json(scores: RealyScores, missing: Sequence[str]) -> dict[str, Any]:
    """Give the results as plain values; what is undefined (the deviation of one prediction) is None."""
    return {
        "all": _defined(scores.all),
        "n": len(scores.predictions),
        "missing": list(missing),
        "regions": {
            region: {"mean": value.mean, "std": _defined(value.std), "median": value.median}
            for region, value in scores.regions.items()
        },
        "subjects": [
            {"name": prediction.name, **dict(zip(REGIONS, prediction.errors.tolist(), strict=True))}
            for prediction in scores.predictions
        ],
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
