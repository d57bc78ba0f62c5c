"""What a run has finished, kept so that the next one goes on: a line a prediction, each with what it belongs to."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import writing


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """What it is called."""


R = TypeVar("R", bound=Named)


@dataclass(frozen=True)
class Journal(Generic[R]):
    """Keep results as JSON lines: name, resume key, and what `encode` makes of the result.

    A line is written at once when its result is there, so that a run which is killed loses only what it was working
    on. A line that was cut short, or that belongs to other inputs, is passed over.

    Attributes:
        path: the file; it need not be there.
        encode: turns a result into JSON-able values.
        decode: turns a name and those values into the result; `ValueError`, `KeyError` and `TypeError` mean that it
            cannot.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.metrics.realy.scores import ScoredPrediction
        >>> journal = Journal(
        ...     Path(tempfile.mkdtemp()) / "finished.jsonl",
        ...     encode=lambda result: {"errors": result.errors.tolist()},
        ...     decode=lambda name, values: ScoredPrediction(name, np.array(values["errors"])),
        ... )
        >>> journal.add(ScoredPrediction("7", np.array([1.0, 2.0, 3.0, 4.0])), key="first")
        >>> journal.read(lambda name: "first")["7"].errors.tolist(), journal.read(lambda name: "files have changed")
        ([1.0, 2.0, 3.0, 4.0], {})
    """

    path: Path
    encode: Callable[[R], dict[str, Any]]
    decode: Callable[[str, dict[str, Any]], R]

    def read(self, key_of: Callable[[str], str | None]) -> dict[str, R]:
        """Give the results whose inputs have not changed, by name.

        Args:
            key_of: gives the key that a name has now; None for a name that is not asked for.
        """
        finished = {}
        for line in self.path.read_bytes().split(b"\n") if self.path.is_file() else ():
            try:
                row = json.loads(line)
                name = row.pop("name")
                if row.pop("key") == key_of(name):
                    finished[name] = self.decode(name, row)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return finished

    def add(self, result: R, key: str) -> None:
        """Append a result.

        Raises:
            NotWrittenError: if the file cannot be written; a part of a line that is there is passed over.
        """
        line = json.dumps({"name": result.name, "key": key, **self.encode(result)}) + "\n"
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(line)

    def _append(self, line: str) -> None:
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # A line that a killed run left unfinished would swallow this one.
                line = line if file.read(1) == b"\n" else "\n" + line
            file.write(line.encode("ascii"))

    def forget(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def resume_key(protocol: object, files: Iterable[Path]) -> str:
    """Fingerprint what decides a result: the protocol with its settings, and the content of every file that is read.

    Args:
        protocol: whatever is written the same if and only if it is the same.
        files: of the prediction and of the data set, in a fixed order.

    Raises:
        MGCError: if a file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "1.obj"
        >>> _ = path.write_text("v 0 0 0")
        >>> before = resume_key("NoW", [path])
        >>> _ = path.write_text("v 0 0 1")
        >>> resume_key("NoW", [path]) == before
        False
    """
    key = hashlib.sha256(repr(protocol).encode())
    for path in files:
        try:
            stat = path.stat()
            key.update(b"\0" + _digest(path, stat.st_size, stat.st_mtime_ns))
        except OSError as error:
            raise MGCError(f"{path}: no such file, or it cannot be read ({error})") from error
    return key.hexdigest()


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, changed: int) -> bytes:
    """Hash a file; the scan of a subject belongs to many predictions."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def encode_array(array: Float[NDArray, " N"]) -> str:
    """Write a vector of numbers bit for bit, in a third of the space of its decimals.

    Example:
        >>> decode_array(encode_array(np.array([0.1, 2.5]))).tolist()
        [0.1, 2.5]
    """
    return base64.b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode("ascii")


def decode_array(text: str) -> Float[NDArray, " N"]:
    """Read what `encode_array` wrote.

    Raises:
        ValueError: if it is something else.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), "<f8").copy()
