"""Checkpoints that are whole or absent: on any file system, on a full disk, under a kill."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Trainer

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import NotWrittenError, atomic_path, remove_leftovers
from mgc_lightning.files.checksum import check_archive

logger = logging.getLogger(__name__)

SUFFIX = ".ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints beside their final names and rename them; read none that is damaged.

    Lightning writes to the system's temporary folder and moves: between file systems that is a copy, and a kill or a
    full disk leaves half a file under the final name. Here the file is complete, and on the disk, before it has its
    name, so that the last good one stays until then. A checkpoint that cannot be written is a warning, and the run goes
    on; `check_written` tells at the end if none could be.

    Args:
        read: the path of a checkpoint that was read a moment ago, and what it holds: it is not read again.

    Attributes:
        written: how many checkpoints were written.
        failures: why those were not that could not be written.
        failure: why the last one was not; None if it was.

    Example:
        >>> import tempfile
        >>> checkpoints, path = AtomicCheckpointIO(), Path(tempfile.mkdtemp()) / "last.ckpt"
        >>> checkpoints.save_checkpoint({"global_step": 3}, path)
        >>> checkpoints.load_checkpoint(path, weights_only=True)
        {'global_step': 3}
    """

    def __init__(self, read: tuple[str, dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.written, self.failures = 0, list[str]()
        self.failure: str | None = None
        self._read = read

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; what is under another kind of address than a path is written as Lightning does."""
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            self.written += 1
            return
        target = Path(path)
        try:
            remove_leftovers(target.parent, f"*{SUFFIX}")
            with atomic_path(target) as temporary, open(temporary, "wb") as stream:
                # To memory first, as Lightning does: torch's own writer has no word for a full disk.
                buffer = io.BytesIO()
                torch.save(checkpoint, buffer)
                stream.write(buffer.getbuffer())
                stream.flush()
                os.fsync(stream.fileno())
            _sync_folder(target.parent)
        except NotWrittenError as error:
            self.failure = str(error)
            self.failures.append(self.failure)
            logger.warning("The checkpoint could not be written, and the run goes on. %s", self.failure)
        else:
            self.failure = None
            self.written += 1

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint that a later one replaces; where that could not be written, this one stays."""
        if self.failure is None:
            super().remove_checkpoint(path)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, loc: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint whose content is what was written.

        Raises:
            MGCError: if it is damaged, with the newest good one beside it.
        """
        if self._read is not None and str(path) == self._read[0]:
            given, self._read = self._read[1], None
            return given
        if "://" not in str(path):
            with naming_another(path):
                check_whole(path)
        loaded: dict[str, Any] = super().load_checkpoint(path, map_location, weights_only)
        return loaded

    def check_written(self) -> None:
        """Tell at the end of a run if none of its checkpoints could be written.

        Raises:
            MGCError: if so, with the last reason.
        """
        if self.failures and not self.written:
            raise MGCError(
                f"None of {len(self.failures)} checkpoints could be written, so the training is lost. "
                f"{self.failures[-1]}"
            )


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk, too, where the file system can."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextlib.contextmanager
def naming_another(path: str | Path) -> Iterator[None]:
    """Add to an error of reading a checkpoint which one may be read instead.

    Raises:
        MGCError: the block's, with the newest good one beside it.
    """
    try:
        yield
    except MGCError as error:
        good = newest_good(Path(path).parent)
        hint = f" The newest good one beside it is {good}." if good else " No good one lies beside it."
        raise MGCError(f"{str(error).rstrip('.')}.{hint}") from error


def last_failure(trainer: Trainer) -> str | None:
    """Say on every rank why the last checkpoint could not be written; a collective call.

    Only rank zero writes: an error that it raised would leave the others waiting.
    """
    writer = trainer.strategy.checkpoint_io
    failure = writer.failure if isinstance(writer, AtomicCheckpointIO) else None
    told: str | None = trainer.strategy.broadcast(failure)
    return told


def check_whole(path: str | Path) -> None:
    """Compare a checkpoint with its checksums; its end must be there.

    Raises:
        MGCError: if it is not what was written.
    """
    check_archive(path)
    if not zipfile.is_zipfile(path):
        raise MGCError(f"{path} is damaged: it is no archive, or has no end")


def newest_good(folder: Path) -> Path | None:
    """Give the newest checkpoint of a folder whose content is what was written.

    Example:
        >>> import tempfile
        >>> newest_good(Path(tempfile.mkdtemp())) is None
        True
    """
    files = [file for file in folder.glob(f"*{SUFFIX}") if file.is_file() and not file.name.startswith(".")]
    for file in sorted(files, key=lambda file: -file.stat().st_mtime):
        try:
            check_whole(file)
        except (MGCError, OSError):
            continue
        return file
    return None
