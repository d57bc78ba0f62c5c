"""Where a data set comes from, and where results may go: never into it."""

from __future__ import annotations

import re
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.files.text import read_text

SYNTHETIC = "A synthetic data set: published scores, which are of real faces, say nothing beside these."
_SYNTHETIC = re.compile(r"\A(?:a )?synthetic\b", re.IGNORECASE)


def is_synthetic(root: str | Path) -> bool:
    """Tell whether `mgc synthesize` wrote a data set: its README.txt says so first.

    Scores on it are not comparable with published ones.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> is_synthetic(root)
        False
        >>> _ = (root / "README.txt").write_text("Synthetic NoW data set")
        >>> is_synthetic(root)
        True
    """
    file = Path(root) / "README.txt"
    return file.is_file() and _SYNTHETIC.match(read_text(file, others="replace")) is not None


def refuse_inside(output: str | Path, dataset: str | Path) -> None:
    """Refuse to write results into a data set: organisers' files and results would mix.

    Raises:
        MGCError: if `output` lies in the folder of the data set.

    Example:
        >>> refuse_inside("scores/mine.json", "now")
        >>> refuse_inside("now/mine.json", "now")
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: now/mine.json lies in the data set now: give an `output` outside of it
    """
    if Path(output).resolve().is_relative_to(Path(dataset).resolve()):
        raise MGCError(f"{output} lies in the data set {dataset}: give an `output` outside of it")
