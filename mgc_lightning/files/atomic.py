"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_LEFT = re.compile(r"^\..+\.(\d+)@([0-9a-f]{6})\.[^.]+(\.[^.]*)?$")
_DAY = 86400.0


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the suffix of `path`, because writers choose the format by it. Parent folders are
    created.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "a" / "b.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.stem}.{os.getpid()}@{_MACHINE}."
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; give what an ordinary open would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | os.PathLike[str], pattern: str = "*") -> list[Path]:
    """Remove temporary files of `atomic_path` whose writer was killed: on this machine, or more than a day ago.

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
            file.unlink()
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
