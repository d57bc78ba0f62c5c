"""Folders of photographs, one sub-folder an identity; and lists of path, identity and capture."""

from __future__ import annotations

import csv
import io
import itertools
import os
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import excerpt, reading
from mgc_lightning.files.text import read_text
from mgc_lightning.photographs.sources.photo import SUFFIXES, Photo, PhotoSource


def folder_source(root: str | Path) -> PhotoSource:
    """Take every photograph below a folder.

    `root/anna/1.jpg` shows `anna`; a further sub-folder is a capture: photographs in `root/anna/monday-3/` were taken
    at one moment in one light. Photographs in `root` itself show somebody unknown.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "anna" / "monday").mkdir(parents=True)
        >>> for name in ("anna/monday/1.jpg", "anna/monday/2.jpg", "anna/3.jpg"):
        ...     Image.new("RGB", (8, 8)).save(root / name)
        >>> [(photo.name, photo.identity, photo.capture) for photo in folder_source(root).photos]
        [('anna/3.jpg', 'anna', ''), ('anna/monday/1.jpg', 'anna', 'monday'), ('anna/monday/2.jpg', 'anna', 'monday')]
    """
    root = Path(root)
    photos, skipped = [], []
    for path in list_files(root):
        name = path.relative_to(root).as_posix()
        if path.suffix.lower() not in SUFFIXES:
            skipped.append((name, f"not a photograph: ends in {path.suffix or 'nothing'}"))
            continue
        parts = name.split("/")
        identity = parts[0] if len(parts) > 1 else ""
        photos.append(Photo(name, path, identity, "/".join(parts[1:-1])))
    return PhotoSource("folder", root, photos, skipped)


def list_files(root: Path) -> list[Path]:
    """List all files below a folder in a fixed order, without hidden ones."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder) / name for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def csv_source(file: str | Path) -> PhotoSource:
    r"""Take the photographs of a list with a header: `path`, and where known `identity`, `capture`, `landmarks`.

    Paths are relative to the list, or absolute: the list is yours, and its photographs are only read. Blanks around
    values are dropped.

    Raises:
        MGCError: if the list has no column `path`, or a path twice.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "list.csv").write_text("path,identity\n1.jpg,anna\n2.jpg,anna\n")
        >>> [(photo.name, photo.identity) for photo in csv_source(folder / "list.csv").photos]
        [('1.jpg', 'anna'), ('2.jpg', 'anna')]
    """
    file = Path(file)
    photos = []
    with reading(file, "cannot be read as a list with commas"):
        # Blanks after commas, as people type them, are no part of names; quotes may follow them.
        rows = csv.DictReader(io.StringIO(read_text(file, torn=True), newline=""), skipinitialspace=True)
        rows.fieldnames = [name.strip() for name in rows.fieldnames or []]
        if "path" not in (rows.fieldnames or []):
            raise MGCError(
                f"{file}: expected a column `path` (and identity, capture, landmarks), got "
                f"{excerpt(str(rows.fieldnames), 200)}"
            )
        for given in rows:
            row = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
            if not row["path"] or None in row or "\0" in row["path"]:
                raise MGCError(
                    f"{file}, line {rows.line_num}: expected a path and {len(rows.fieldnames or [])} columns"
                )
            path, landmarks = file.parent / row["path"], row.get("landmarks")
            photos.append(
                Photo(
                    row["path"],
                    path,
                    row.get("identity") or "",
                    row.get("capture") or "",
                    landmarks=file.parent / landmarks if landmarks else None,
                )
            )
    photos.sort(key=lambda photo: photo.name)
    twice = next((a.name for a, b in itertools.pairwise(photos) if a.name == b.name), None)
    if twice is not None:
        raise MGCError(f"{file}: {twice} is listed twice")
    return PhotoSource("csv", file.parent, photos)
