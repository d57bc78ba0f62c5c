"""What `mgc reconstruct` is given: files, folders, patterns, photographs and videos."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.sources.folder import list_files
from mgc_lightning.photographs.sources.photo import SUFFIXES
from mgc_lightning.photographs.sources.videos import SUFFIXES as VIDEO_SUFFIXES


@dataclass
class Inputs:
    """Hold what was found.

    Attributes:
        photos: image files, in order, each once.
        videos: likewise.
        skipped: files of folders that are neither, with the reason.
    """

    photos: list[Path] = field(default_factory=list)
    videos: list[Path] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def find_inputs(places: Sequence[str | Path]) -> Inputs:
    """Find photographs and videos.

    A file that is named is taken whatever its ending; of folders, and what lies below them, and of patterns
    (`photos/*.jpg`, `**` for any depth) only those that end like photographs or videos.

    Raises:
        MGCError: if a pattern matches nothing, or a folder holds nothing to reconstruct.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("1.jpg", "clip.mp4", "notes.txt"):
        ...     (folder / name).touch()
        >>> found = find_inputs([folder])
        >>> [path.name for path in found.photos], [path.name for path in found.videos], len(found.skipped)
        (['1.jpg'], ['clip.mp4'], 1)
    """
    found = Inputs()
    for place in map(str, places):
        path = Path(place)
        if path.is_dir():
            _take(found, list_files(path), place)
        elif not path.exists() and glob.has_magic(place):
            _take(found, [p for p in map(Path, sorted(glob.glob(place, recursive=True))) if p.is_file()], place)
        else:
            (found.videos if path.suffix.lower() in VIDEO_SUFFIXES else found.photos).append(path)
    found.photos = list(dict.fromkeys(found.photos))
    found.videos = list(dict.fromkeys(found.videos))
    return found


def _take(found: Inputs, files: list[Path], place: str) -> None:
    before = len(found.photos) + len(found.videos)
    for file in files:
        suffix = file.suffix.lower()
        if suffix in SUFFIXES:
            found.photos.append(file)
        elif suffix in VIDEO_SUFFIXES:
            found.videos.append(file)
        else:
            found.skipped.append((str(file), f"not a photograph: ends in {suffix or 'nothing'}"))
    if len(found.photos) + len(found.videos) == before:
        raise MGCError(f"{place}: no photograph or video there")


def name_folders(files: Sequence[Path]) -> list[str]:
    """Give each file a folder name of its own: its stem, numbered where files share it.

    Example:
        >>> name_folders([Path("a/x.jpg"), Path("b/x.jpg"), Path("y.png")])
        ['x', 'x_2', 'y']
    """
    taken: set[str] = set()
    return [free_name(file.stem, taken) for file in files]


def free_name(wanted: str, taken: set[str]) -> str:
    """Give a name that is not taken, numbered where it is, and take it; file systems may not tell `A` from `a`.

    Example:
        >>> taken = set()
        >>> free_name("party_face2", taken), free_name("Party_face2", taken), free_name("party_face2", taken)
        ('party_face2', 'Party_face2_2', 'party_face2_3')
    """
    names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name
