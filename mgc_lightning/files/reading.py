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
        raise MGCError(f"{path}: {what} ({reason(error)})") from error
