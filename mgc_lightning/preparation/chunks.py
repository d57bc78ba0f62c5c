"""Faces between detection and grouping: chunks of photographs, each finished whole, so that work resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.photographs.quality import RejectedError
from mgc_lightning.photographs.sources.photo import Photo
from mgc_lightning.preparation.faces import FacePreparer
from mgc_lightning.triplets.grouping import Face
from mgc_lightning.triplets.samples import ViewFiles

CHUNK = 64
"""Photographs of a chunk: what is done again after a kill."""


@dataclass
class ChunkReport:
    """Count what became of a chunk's photographs."""

    chunk: int
    faces: int
    rejected: int


class Chunks:
    """Keep the faces of chunks in a work folder: bytes in `N.bin`, facts a line in `N.jsonl`, which comes last.

    Args:
        folder: of the work.

    Example:
        A picture without a face: what is kept is the reason.

        >>> import tempfile, torch
        >>> from mgc_lightning.pictures.drawing import save_png
        >>> from mgc_lightning.preparation.faces import FaceSettings
        >>> folder = Path(tempfile.mkdtemp())
        >>> photo = Photo("1.png", save_png(folder / "photos/1.png", torch.zeros(3, 64, 64)))
        >>> chunks, preparer = Chunks(folder), FacePreparer(FaceSettings(landmarks=folder), folder)
        >>> chunks.process(0, [photo], preparer)
        ChunkReport(chunk=0, faces=0, rejected=1)
        >>> chunks.done(0), list(chunks.rejected(1))
        (True, [('1.png', 'no face', '')])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def done(self, chunk: int) -> bool:
        """Tell whether a chunk is finished."""
        return self._facts(chunk).is_file()

    def process(self, chunk: int, photos: Sequence[Photo], preparer: FacePreparer) -> ChunkReport:
        """Prepare the photographs of a chunk and keep the result."""
        lines: list[dict[str, Any]] = []
        rejected = offset = 0
        with atomic_path(self._bytes(chunk)) as temporary, open(temporary, "wb") as stream:
            for photo in photos:
                try:
                    view = preparer.prepare(photo)
                except RejectedError as error:
                    lines.append({"name": photo.name, "reason": error.reason, "detail": error.detail})
                    rejected += 1
                    continue
                stream.write(view.image)
                stream.write(view.skin)
                lines.append({"offset": offset, "sizes": [len(view.image), len(view.skin)], "facts": view.facts})
                offset += len(view.image) + len(view.skin)
            stream.flush()
            # The facts vouch for the bytes, also after a power cut.
            os.fsync(stream.fileno())
        with atomic_path(self._facts(chunk)) as temporary:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            temporary.write_bytes(text.encode("utf-8", "surrogateescape"))
        return ChunkReport(chunk, len(lines) - rejected, rejected)

    def report(self, chunk: int) -> ChunkReport:
        """Count again what a finished chunk holds."""
        lines = self._lines(chunk)
        faces = sum("facts" in line for line in lines)
        return ChunkReport(chunk, faces, len(lines) - faces)

    def faces(self, chunks: int) -> Iterator[Face]:
        """Give what grouping needs of all faces."""
        for chunk in range(chunks):
            for place, line in enumerate(self._lines(chunk)):
                if "facts" in line:
                    facts = line["facts"]
                    yield Face(facts["name"], facts["identity"], facts["capture"], facts["yaw"], (chunk, place))

    def rejected(self, chunks: int) -> Iterator[tuple[str, str, str]]:
        """Give name, reason and detail of all photographs that were refused."""
        for chunk in range(chunks):
            for line in self._lines(chunk):
                if "reason" in line:
                    yield line["name"], line["reason"], line["detail"]

    def view(self, face: Face) -> ViewFiles:
        """Read a face's files."""
        chunk, place = face.place
        with open(self._facts(chunk), encoding="utf-8", errors="surrogateescape") as lines:
            line = json.loads(next(text for number, text in enumerate(lines) if number == place))
        with open(self._bytes(chunk), "rb") as stream:
            stream.seek(line["offset"])
            image, skin = (stream.read(size) for size in line["sizes"])
        if len(skin) != line["sizes"][1]:
            raise MGCError(f"{self._bytes(chunk)}: ends early; delete {self.folder} and prepare again")
        return ViewFiles(image, skin, line["facts"])

    def _lines(self, chunk: int) -> list[dict[str, Any]]:
        with open(self._facts(chunk), encoding="utf-8", errors="surrogateescape") as stream:
            return [json.loads(line) for line in stream]

    def _facts(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.jsonl"

    def _bytes(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.bin"
