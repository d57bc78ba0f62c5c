"""One photograph of a source: where it is, and whose, and of which moment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2", ".heic", ".heif",
            ".avif")  # fmt: skip
"""Files with other endings are no photographs."""


@dataclass(frozen=True)
class Photo:
    """Name a photograph, or a frame of a video.

    Attributes:
        name: unique in its source and the same on every machine.
        path: of the file.
        identity: who it shows; empty if nobody knows.
        capture: the moment and the light: photographs of one identity and capture are linked. Empty: its own.
        frame: number of the frame of a video, else -1.
        landmarks: file that the source brings.

    Example:
        >>> linked = [Photo(f"anna/{n}.jpg", Path(f"photos/anna/{n}.jpg"), "anna", "monday") for n in range(3)]
        >>> frame = Photo("clip.mp4/000030", Path("clip.mp4"), identity="clip", frame=30)
        >>> linked[0].capture == linked[1].capture, frame.frame
        (True, 30)
    """

    name: str
    path: Path
    identity: str = ""
    capture: str = ""
    frame: int = -1
    landmarks: Path | None = None


@dataclass(frozen=True)
class PhotoSource:
    """Give photographs in a fixed order, without opening them.

    Attributes:
        kind: name of the layout.
        root: folder that names are relative to.
        photos: all of them, sorted.
        skipped: files that are no photographs, each with the reason.
    """

    kind: str
    root: Path
    photos: list[Photo]
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)


def source_digest(source: PhotoSource) -> str:
    """Hash the list of photographs: names, identities, captures, sizes."""
    digest = hashlib.sha256(source.kind.encode())
    for photo in source:
        size = _size(photo.path)
        line = (
            f"{photo.name}\0{photo.identity}\0{photo.capture}\0{photo.frame}\0{photo.landmarks is not None}\0{size}\n"
        )
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
