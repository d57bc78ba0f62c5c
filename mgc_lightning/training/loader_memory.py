"""Loader processes that end for want of memory: torch says how, and not what to do."""

from __future__ import annotations

import multiprocessing.queues
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

SHARED = Path("/dev/shm")  # noqa: S108
"""Where loader processes hand over their batches on Linux."""
AMPLE = 2**30
"""Bytes of shared memory, a hundred times what a batch has: what has less is told of."""
_WORKER = re.compile(r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)|unable to .*shared memory")


def loader_trouble(error: BaseException) -> str | None:
    """Say in a sentence why a loader process has ended, and what to do; None for any other error.

    Example:
        >>> loader_trouble(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."))[:35]
        'A process of the data loader ended '
        >>> loader_trouble(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
        True
    """
    said = [str(each) for each in _chain(error)]
    if not any(_WORKER.search(text) for text in said):
        return None
    size = shutil.disk_usage(SHARED).total if SHARED.is_dir() else AMPLE
    if size < AMPLE or any("Bus error" in text or "shared memory" in text for text in said):
        return (
            f"{SHARED}, by which the processes of the data loader hand over their batches, is too small for them "
            f"({size / 2**20:.0f} MB): give it more, in a container by `docker run --shm-size=8g`, or take "
            "smaller batches or fewer processes; `num_workers=0` needs none of it"
        )
    return (
        f"A process of the data loader ended ({said[0].splitlines()[0]}): its own messages say why; if it has none it "
        "was killed, by the system where memory ran out: take fewer `num_workers`, or smaller batches"
    )


def end_where_nothing_can_be_sent(worker: int) -> None:
    """Let a loader process end where a batch cannot be handed over: torch would wait for it for ever.

    To be given to a DataLoader as `worker_init_fn`.
    """
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end)  # type: ignore[attr-defined]


def _end(error: Exception, batch: object) -> None:
    print(f"A process of the data loader could not hand over a batch: {error}", file=sys.stderr, flush=True)
    os._exit(1)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
