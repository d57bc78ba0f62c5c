"""What every reader of foreign files does alike: errors become one message, foreign text in it stays short."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from mgc_lightning.errors import MGCError

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def excerpt(text: str, most: int = 80) -> str:
    r"""Shorten text of a file for a message, and show what cannot be printed.

    Example:
        >>> excerpt("a\0b"), excerpt("x" * 100, most=10)
        ('a\\x00b', 'xxxxxx ...')
    """
    seen = _UNSEEN.sub(lambda found: repr(found[0])[1:-1], text[: most + 1])
    return seen[: most - 4] + " ..." if len(seen) > most else seen


def reason(error: BaseException) -> str:
    """Say in a line why something could not be read.

    Example:
        >>> reason(ValueError("too short")), reason(KeyError("faces")), reason(EOFError())
        ('too short', "KeyError: 'faces'", 'EOFError')
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    kind = type(error).__name__
    if not said:
        return kind
    return excerpt(f"{kind}: {said}" if isinstance(error, LookupError) else said, 500)


def stand_in(path: str | Path) -> str:
    r"""Say what lies in the place of a file: a page, a pointer, the file with its line ends converted; else nothing.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.h5"
        >>> _ = path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        >>> stand_in(path)
        'it is a pointer of git-LFS, not the file itself: run `git lfs pull` where it comes from'
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return ""
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if begin.startswith(b"version https://git-lfs"):
        return "it is a pointer of git-LFS, not the file itself: run `git lfs pull` where it comes from"
    if begin.startswith((b"<!doctype html", b"<html")) or (begin.startswith(b"<?xml") and b"<html" in begin):
        return "it is an HTML page, such as one that asks to sign in: download the file again, in a browser"
    ends = head.count(b"\n")
    converted = ends >= _ENDS and ends == head.count(b"\r\n") and b"\0" in head
    if head.startswith(_STRIPPED) or head.startswith(_ADDED) or converted:
        return "its line ends were converted, as git and FTP in text mode do: copy it again as a binary file"
    return ""


_HEAD = 2**20
_ENDS = 16
"""Line feeds of a binary file that cannot all follow a carriage return by chance."""
_STRIPPED = (b"\x89HDF\n\x1a\n", b"\x89PNG\n\x1a\n")
_ADDED = (b"\x89HDF\r\r\n", b"\x89PNG\r\r\n", b"\x89HDF\r\n\x1a\r\n", b"\x89PNG\r\n\x1a\r\n")


@contextlib.contextmanager
def reading(path: str | Path, what: str) -> Iterator[None]:
    """Turn whatever a parser raises on foreign bytes into one message; its warnings are not shown.

    Args:
        path: of the file.
        what: what is wrong with it, such as `cannot be read as a MATLAB file`.

    Raises:
        MGCError: for any error; one that is an MGCError already passes.

    Example:
        >>> with reading("scan.npy", "cannot be read as an array"):
        ...     raise EOFError("No data left in file")
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: scan.npy: cannot be read as an array (No data left in file)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MGCError:
        raise
    except FileNotFoundError as error:
        raise MGCError(f"{path}: no such file") from error
    except Exception as error:  # parsers raise anything on foreign bytes
        raise MGCError(f"{path}: {what} ({stand_in(path) or reason(error)})") from error
