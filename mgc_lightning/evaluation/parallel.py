"""The same work on many items, over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.files.processes import begin_worker, end_workers

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")


def in_parallel(function: Callable[[I], R], items: Sequence[I], jobs: int) -> Iterator[R]:
    """Yield the function's results as they are done, in any order; in this process where `jobs` is 1.

    Args:
        function: what other processes can import; what it raises, the iterator raises.
        items: what is worked on.
        jobs: processes. Threads would wait for each other: factorisations hold the interpreter's lock.

    Raises:
        MGCError: if a process was killed.

    Example:
        >>> list(in_parallel(abs, [-1, 2, -3], jobs=1))
        [1, 2, 3]
    """
    check_count("jobs", jobs)
    if jobs == 1 or len(items) <= 1:
        yield from map(function, items)
        return
    # Spawned, because the threads of torch do not survive a fork.
    with ProcessPoolExecutor(min(jobs, len(items)), get_context("spawn"), begin_worker) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise MGCError(
                f"One of {jobs} processes was killed, which memory may be too small for: take fewer jobs. What is "
                "finished is kept where the same run is started again"
            ) from error
        except KeyboardInterrupt:
            end_workers()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
