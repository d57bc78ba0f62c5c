"""Processes that share folders and lives: one writer a folder, and no worker without its parent."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import writing

SECONDS = 1.0
"""Between two looks at the parent."""


def end_with_parent() -> None:
    """Let this process end when its parent has: a killed one cannot tell it to."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def begin_worker() -> None:
    """Begin as a worker, first of all: end with the parent, and leave Ctrl-C, which a terminal sends to all, to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_workers() -> None:
    """End the workers of this process at Ctrl-C: what they are at may take minutes, and the next run does it again."""
    for process in multiprocessing.active_children():
        process.terminate()


@contextlib.contextmanager
def only_writer(output: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a folder against other processes that would write the same; a killed holder lets go.

    The lock is a file beside the folder, `.NAME.lock`, and goes with the block. Systems without file locks have none.

    Raises:
        MGCError: if another process writes there now, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> output = Path(tempfile.mkdtemp()) / "set"
        >>> with only_writer(output):
        ...     [path.name for path in output.parent.iterdir()]
        ['.set.lock']
    """
    if importlib.util.find_spec("fcntl") is None:
        yield
        return
    target = Path(output)
    path = target.absolute().parent / f".{target.name}.lock"
    with writing(target, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(path, target)
    with file:
        try:
            yield
        finally:
            # While it is locked: who waits for this file finds that it is no more, and takes a new one.
            path.unlink(missing_ok=True)


def _locked(path: Path, target: Path) -> IO[str]:
    import fcntl

    while True:
        file = open(path, "a")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise MGCError(
                f"{target}: another process is writing there; wait for it, or give another folder"
            ) from error
        except OSError:  # a file system without locks
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        # Its holder has removed it between our two calls: a third process may have made, and locked, a new one.
        file.close()
