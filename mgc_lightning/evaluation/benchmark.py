"""What the benchmarks of folders of predictions have in common: they go on, refuse to be incomplete, show progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import track

from mgc_lightning.arguments.verbosity import is_quiet
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.folder import BenchmarkFolder
from mgc_lightning.evaluation.journal import Journal, Named
from mgc_lightning.evaluation.parallel import in_parallel

T = TypeVar("T")
P = TypeVar("P", bound=Named)
R = TypeVar("R", bound=Named)
S = TypeVar("S")
F = TypeVar("F", bound=BenchmarkFolder)


@dataclass(frozen=True)
class BenchmarkRun(Generic[S, F]):
    """Hold what a benchmark of a folder of predictions gave.

    Attributes:
        scores: of the predictions that are there.
        missing: names of those that are not.
        folder: where everything was written.
    """

    scores: S
    missing: list[str]
    folder: F


def score_predictions(
    predictions: Sequence[P],
    score: Callable[[P], R],
    key: Callable[[P], str],
    journal: Journal[R],
    jobs: int = 1,
) -> Iterator[R]:
    """Yield the result of every prediction as it is done, first those that an earlier run has finished.

    Args:
        predictions: what is scored.
        score: what other processes can import; its result has the prediction's name.
        key: gives the resume key of a prediction; other processes can import it.
        journal: where finished ones are kept.
        jobs: processes.
    """
    asked = {prediction.name: prediction for prediction in predictions}
    finished = journal.read(lambda name: key(asked[name]) if name in asked else None)
    yield from finished.values()
    waiting = [prediction for prediction in predictions if prediction.name not in finished]
    for now, result in in_parallel(partial(_score_with_key, score=score, key=key), waiting, jobs):
        journal.add(result, now)
        yield result


def _score_with_key(prediction: P, score: Callable[[P], R], key: Callable[[P], str]) -> tuple[str, R]:
    # The key first: a file that changes meanwhile must not be taken for what was scored.
    return key(prediction), score(prediction)


def refuse_missing(
    folder: Path, benchmark: str, missing: Sequence[str], found: int, allowed: bool, because: str = ""
) -> None:
    """Refuse a folder that lacks predictions.

    Args:
        folder: of the predictions.
        benchmark: its name.
        missing: names of the predictions that are not there.
        found: how many are.
        allowed: score what is there.
        because: what is known of why they are.

    Raises:
        MGCError: if some are missing and that is not allowed, or if there are none at all.

    Example:
        >>> missing = ["anna/selfie/1.jpg"]
        >>> refuse_missing(Path("mine"), "NoW", missing, 9, allowed=True)  # what is there is scored
        >>> refuse_missing(Path("mine"), "NoW", missing, 9, allowed=False)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: mine: 1 of 10 predictions are missing: anna/selfie/1.jpg. An average ...
    """
    if not missing or (found and allowed):
        return
    shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
    remedy = f"An average without them is no {benchmark} score; give `allow_missing=True` to compute it all the same"
    raise MGCError(
        f"{folder}: {len(missing)} of {len(missing) + found} predictions are missing: {shown}. {because}"
        + (remedy if found else "There is nothing to score")
    )


def progress(items: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """Go through items under a progress bar on the error stream."""
    return track(items, title, total=total, console=Console(stderr=True), disable=is_quiet())
