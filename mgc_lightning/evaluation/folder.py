"""The folder of a benchmark's results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.text import write_json


@dataclass(frozen=True)
class BenchmarkFolder:
    """Name the files of a run: a JSON file of results, and everything else in a folder of its name beside it.

    Attributes:
        output: the JSON file.

    Raises:
        MGCError: if it is none.

    Example:
        >>> run = BenchmarkFolder(Path("scores/mine.json"))
        >>> run.folder.as_posix(), run.finished.parent == run.folder
        ('scores/mine', True)
    """

    output: Path

    def __post_init__(self) -> None:
        if self.output.suffix != ".json":
            raise MGCError(f"`output` must end in .json; got {self.output}")

    @property
    def folder(self) -> Path:
        """Folder of everything but the JSON file."""
        return self.output.with_suffix("")

    @property
    def finished(self) -> Path:
        """Predictions that a run which has not ended has finished; see `Journal`."""
        return self.folder / "finished.jsonl"

    def write(self, results: dict[str, Any]) -> None:
        """Write the JSON file."""
        write_json(self.output, results)
