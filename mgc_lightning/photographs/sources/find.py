"""Find out what a source is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.places import as_paths
from mgc_lightning.photographs.settings import SourceKind
from mgc_lightning.photographs.sources import videos
from mgc_lightning.photographs.sources.folder import csv_source, folder_source
from mgc_lightning.photographs.sources.known import celeba_source, lp300w_source, multipie_source
from mgc_lightning.photographs.sources.photo import PhotoSource

_FOLDERS: dict[SourceKind, Callable[[Path], PhotoSource]] = {
    "folder": folder_source,
    "300w-lp": lp300w_source,
    "multi-pie": multipie_source,
    "celeba": celeba_source,
}


def open_source(places: str | Path | Sequence[str | Path], kind: SourceKind = "auto", step: float = 1.0) -> PhotoSource:
    """List the photographs of a source.

    Args:
        places: one folder or list, or videos.
        kind: layout of the photographs; `official` holds triplets, and is not taken.
        step: seconds between frames of videos.

    Raises:
        MGCError: if there is no such place, or nothing in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("1.jpg", "2.png", "notes.txt"):
        ...     (folder / name).touch()
        >>> source = open_source([folder])
        >>> source.kind, [photo.name for photo in source.photos], len(source.skipped)
        ('folder', ['1.jpg', '2.png'], 1)
    """
    places = as_paths(places)
    kind = find_kind(places, kind)
    if kind == "videos":
        files = [f for p in places for f in (sorted(p.iterdir()) if p.is_dir() else [p]) if f.is_file()]
        source = videos.video_source([file for file in files if file.suffix.lower() in videos.SUFFIXES], step)
    elif len(places) > 1:
        raise MGCError(f"Expected one folder, one list, or several videos; got {len(places)} of kind {kind}")
    elif kind == "csv":
        source = csv_source(places[0])
    elif kind in _FOLDERS:
        source = _FOLDERS[kind](places[0])
    else:
        raise MGCError(f"{places[0]}: this layout holds triplets, not photographs; `mgc prepare` converts it")
    if not source.photos and not source.skipped:
        raise MGCError(f"{places[0]}: no photographs found in the layout `{source.kind}`")
    return source


def find_kind(places: str | Path | Sequence[str | Path], kind: SourceKind = "auto") -> SourceKind:
    """Make sure that there is a source, and give its layout.

    Raises:
        MGCError: if there is none, or no such layout.
    """
    check_choice("kind", kind, SourceKind)
    places = as_paths(places)
    missing = next((place for place in places if not place.exists()), None)
    if missing is not None or not places:
        raise MGCError(f"{missing or 'the source'}: no such file or folder")
    return guess_kind(places) if kind == "auto" else kind


def guess_kind(places: Sequence[Path]) -> SourceKind:
    """Guess the layout.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "clip.mp4").touch()
        >>> guess_kind([folder])
        'videos'
    """
    first = places[0]
    if first.is_file():
        if first.suffix.lower() == ".csv":
            return "csv"
        if first.suffix.lower() in videos.SUFFIXES:
            return "videos"
        raise MGCError(f"{first}: expected a folder, a .csv list or videos")
    if any((first / name).is_file() for name in ("identity_CelebA.txt", "Anno/identity_CelebA.txt")):
        return "celeba"
    if any((first / name).is_dir() for name in ("AFW_Flip", "HELEN_Flip", "IBUG_Flip", "LFPW_Flip")):
        return "300w-lp"
    if next(first.glob("session0*/multiview"), None) is not None or (first / "multiview").is_dir():
        return "multi-pie"
    if (first / "train.txt").is_file() and next(first.glob("*/*_cam.txt"), None) is not None:
        return "official"
    inside = [path for path in first.iterdir() if path.is_file()]
    if inside and all(path.suffix.lower() in videos.SUFFIXES for path in inside):
        return "videos"
    return "folder"
