"""Score a folder of predictions by NoW: over cores, and on from where it was stopped."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import PredictionFiles, read_prediction
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.metrics.now.image import now_error
from mgc_lightning.metrics.now.scores import NoWScores, ScoredImage

PROTOCOL_VERSION = 1
"""Raised when results of older runs may no longer be reused."""


@dataclass(frozen=True)
class Protocol:
    """Choose the benchmark: `unit` None for the usual one, else metrical; see `align_landmarks`."""

    unit: str | None = None
    corrected_start: bool = False


def score_prediction(item: PredictionFiles, dataset: NoWDataset, protocol: Protocol) -> ScoredImage:
    """Read and score one prediction.

    Raises:
        MGCError: if it cannot be scored; the message names the file.
    """
    scan = dataset.scan(item.image.subject)
    try:
        error = now_error(scan, *read_prediction(item), protocol.unit, protocol.corrected_start)
    except MGCError as problem:
        known = any(str(path) in str(problem) for path in (item.mesh, item.landmarks))
        raise MGCError(str(problem) if known else f"{item.mesh}: {problem}") from problem
    return ScoredImage(item.image.name, error.distances, error.alignment.reflected)


def score_folder(
    dataset: NoWDataset, files: Sequence[PredictionFiles], protocol: Protocol, store: Path, jobs: int = 1
) -> Iterator[ScoredImage]:
    """Yield every prediction's errors as they are done, first those that an earlier run has stored.

    Args:
        dataset: for the scans.
        files: the predictions.
        protocol: which benchmark.
        store: folder of finished images.
        jobs: processes.
    """
    stored = {item.image.name: store / f"{_fingerprint(item, dataset, protocol)}.npz" for item in files}
    waiting = []
    for item in files:
        scored = _restore(stored[item.image.name], item.image.name)
        if scored is None:
            waiting.append(item)
        else:
            yield scored
    score = partial(score_prediction, dataset=dataset, protocol=protocol)
    for scored in _in_parallel(score, waiting, jobs):
        with atomic_path(stored[scored.name]) as temporary:
            np.savez(temporary, distances=scored.distances, reflected=scored.reflected)
        yield scored


def run_benchmark(
    dataset: NoWDataset,
    files: Sequence[PredictionFiles],
    protocol: Protocol,
    store: Path,
    jobs: int = 1,
) -> NoWScores:
    """Score all predictions under a progress bar; arguments as of `score_folder`."""
    done = track(
        score_folder(dataset, files, protocol, store, jobs),
        "NoW",
        total=len(files),
        console=Console(stderr=True),
    )
    found = {scored.name: scored for scored in done}
    return NoWScores([found[item.image.name] for item in files])


def forget_finished(store: Path) -> None:
    """Remove the stored images of a run whose results are written."""
    shutil.rmtree(store, ignore_errors=True)


def _in_parallel(
    score: Callable[[PredictionFiles], ScoredImage], items: Sequence[PredictionFiles], jobs: int
) -> Iterator[ScoredImage]:
    if jobs <= 1 or len(items) <= 1:
        yield from map(score, items)
        return
    # Spawned, because the threads of torch do not survive a fork.
    with ProcessPoolExecutor(min(jobs, len(items)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(score, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fingerprint(item: PredictionFiles, dataset: NoWDataset, protocol: Protocol) -> str:
    """Identify the files and choices that decide an image's distances, by name, size and time of change."""
    digest = hashlib.sha256(f"{PROTOCOL_VERSION} {protocol}".encode())
    for path in (item.mesh, item.landmarks, *dataset.scan_files(item.image.subject)):
        stat = path.stat()
        digest.update(f"\0{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _restore(path: Path, name: str) -> ScoredImage | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return ScoredImage(name, stored["distances"], bool(stored["reflected"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
