"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mgc_lightning.errors import MGCError

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_LEFT = re.compile(r"^\..+\.(\d+)@([0-9a-f]{6})\.[^.]+(\.[^.]*)?$")
_DAY = 86400.0
_FULL = os.strerror(errno.ENOSPC)
_OF_DISKS = {
    getattr(errno, name, None)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EACCES", "EPERM", "ENAMETOOLONG", "ESTALE", "ENODEV")
}


class NotWrittenError(MGCError):
    """A file could not be written, for a reason that the system gave: a full disk, a folder that may not be written."""


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Turn what writing a file raises into one message; errors of files that are only read pass.

    Args:
        path: the file, or folder.
        temporary: what it is called until it is whole.

    Raises:
        NotWrittenError: with the file and the reason.

    Example:
        >>> with writing("/dev/null/mine.txt"):
        ...     Path("/dev/null/mine.txt").write_text("whole")
        Traceback (most recent call last):
        mgc_lightning.files.atomic.NotWrittenError: /dev/null/mine.txt: could not be written (Not a directory); ...
    """
    target = Path(path)
    try:
        yield
    except MGCError:
        raise
    except Exception as error:
        # Libraries that write by themselves have errors of their own for a full disk.
        why = _why_not_written(error, {target, *target.parents, temporary}) or (_is_full(target) and _FULL)
        if not why:
            raise
        remedy = "free some space there, or give another place" if why == _FULL else "give another place"
        raise NotWrittenError(f"{target}: could not be written ({why}); {remedy}") from error


def disk_trouble(error: OSError) -> str | None:
    """Say what is wrong with a disk or a folder, for an error that nobody expected; None for errors of other kinds.

    Example:
        >>> disk_trouble(OSError(errno.EROFS, "Read-only file system", "runs"))
        'runs: could not be read or written (Read-only file system)'
    """
    if error.errno == errno.ENOENT and str(error.strerror).startswith("No usable temporary directory"):
        return f"{error.strerror}; free some space there, or name another folder by TMPDIR"
    if error.errno not in _OF_DISKS:
        return None
    return f"{error.filename or 'A file'}: could not be read or written ({error.strerror})"


def _why_not_written(error: Exception, ours: set[Path | None]) -> str | None:
    if not isinstance(error, OSError):
        return None
    names = [name for name in (error.filename, error.filename2) if name is not None]
    if any(isinstance(name, str | os.PathLike) and Path(name) in ours for name in names):
        return error.strerror or str(error)
    # A write names no file; nor does a connection, but that has other numbers.
    return error.strerror if not names and error.errno in _OF_DISKS else None


def _is_full(target: Path) -> bool:
    if not hasattr(os, "statvfs"):
        return False
    for folder in target.parents:
        with contextlib.suppress(OSError):
            return os.statvfs(folder).f_bavail == 0
    return False


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the suffix of `path`, because writers choose the format by it. Parent folders are
    created.

    Raises:
        NotWrittenError: if it cannot be written, with the reason.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "a" / "b.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    target = Path(path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_prefix(target), suffix=target.suffix, dir=target.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with writing(target, temporary):
            yield temporary
            # mkstemp makes files private; give what an ordinary open would have given.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_files(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder; move its files into `folder` if the block succeeds: all of a set, or none.

    Args:
        folder: created if need be; files of the same names are replaced, others stay.

    Raises:
        NotWrittenError: if a file cannot be written, with the reason; those of before are there then.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "export"
        >>> with atomic_files(folder) as temporary:
        ...     for name in ("network.onnx", "network.json"):
        ...         _ = (temporary / name).write_text("whole")
        >>> sorted(file.name for file in folder.iterdir())
        ['network.json', 'network.onnx']
    """
    target = Path(folder)
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(target), suffix=".set", dir=target))
    try:
        yield temporary
        for file in sorted(path for path in temporary.rglob("*") if not path.is_dir()):
            place = target / file.relative_to(temporary)
            with writing(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
    except MGCError as error:
        raise type(error)(str(error).replace(str(temporary), str(target))) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f".{target.stem}.{os.getpid()}@{_MACHINE}."


def remove_leftovers(folder: str | os.PathLike[str], pattern: str = "*") -> list[Path]:
    """Remove what `atomic_path` and `atomic_files` left of a killed writer: on this machine, or more than a day ago.

    Args:
        folder: that they lie in; one that does not exist has none.
        pattern: of the final names, such as `*.ckpt`.

    Returns:
        what was removed.

    Example:
        >>> import tempfile
        >>> remove_leftovers(tempfile.mkdtemp())
        []
    """
    removed = []
    for file in Path(folder).glob(f".{pattern}"):
        found = _LEFT.match(file.name)
        if found is None or _writing(int(found[1]), found[2], file):
            continue
        with contextlib.suppress(OSError):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
            removed.append(file)
    return removed


def _writing(process: int, machine: str, file: Path) -> bool:
    try:
        if machine != _MACHINE:
            return time.time() - file.stat().st_mtime < _DAY
        os.kill(process, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    except OSError:  # of another user
        return True
    return True
