"""A folder belongs to one set: what made it is written down first, and compared when work is resumed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import remove_leftovers
from mgc_lightning.files.checkpoints import flatten
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_json, write_json
from mgc_lightning.preparation.report import histogram
from mgc_lightning.triplets.shards import MANIFEST, read_manifest

WORK = ".work"
"""Folder of unfinished work in that of a set."""
SETTINGS = "settings.json"
UNFINISHED = "is not as a stopped `prepare` leaves it: remove the folder of the set, and prepare again"


def claim(output: Path, described: dict[str, Any]) -> dict[str, Any] | None:
    """Make sure that a folder is ours to write; give the manifest if the set is there already.

    Raises:
        MGCError: if it holds another set, or other files.

    Example:
        >>> import tempfile
        >>> output = Path(tempfile.mkdtemp())
        >>> claim(output, {"size": 224})  # a new folder is ours; and so is one of an interrupted run
        >>> claim(output, {"size": 224})
        >>> claim(output, {"size": 96})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ... holds another set (size: 224 -> 96): give another folder
    """
    manifest, started = output / MANIFEST, output / WORK / SETTINGS
    if manifest.is_file():
        content = read_manifest(str(output))
        with reading(manifest, "is not as `prepare` writes it, so that nothing is written beside it"):
            _compare(output, content["settings"], described)
            histogram(content["summary"])
        shutil.rmtree(output / WORK, ignore_errors=True)
        return content
    if started.is_file():
        with reading(started, UNFINISHED):
            _compare(output, read_json(started), described)
        for folder in (output, output / WORK):
            remove_leftovers(folder)
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise MGCError(f"{output} exists and holds something else: give a new or empty folder")
    else:
        write_json(started, described)
    return None


def _compare(output: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    flat_before, flat_now = flatten(before), flatten(now)
    changed = [
        f"{key}: {flat_before.get(key)} -> {value}" for key, value in flat_now.items() if flat_before.get(key) != value
    ]
    if changed:
        raise MGCError(f"{output} holds another set ({'; '.join(changed[:4])}): give another folder")
