"""Faces between detection and grouping: chunks of photographs, each finished whole, so that work resumes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.reading import reading
from mgc_lightning.photographs.quality import RejectedError
from mgc_lightning.photographs.sources.photo import Photo
from mgc_lightning.preparation.claim import UNFINISHED
from mgc_lightning.preparation.faces import FacePreparer
from mgc_lightning.triplets.grouping import Face
from mgc_lightning.triplets.samples import ViewFiles

CHUNK = 64
"""Photographs of a chunk: what is done again after a kill."""
_DIGEST = b'{"sha256": "'


@dataclass
class ChunkReport:
    """Count what became of a chunk's photographs."""

    chunk: int
    faces: int
    rejected: int


class Chunks:
    """Keep the faces of chunks in a work folder: bytes in `N.bin`, facts a line in `N.jsonl`, which comes last.

    The last line of the facts is the SHA-256 of all that a chunk holds; it is compared when a chunk is first read.

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
        self._compared: set[int] = set()

    def done(self, chunk: int) -> bool:
        """Tell whether a chunk is finished."""
        return self._facts(chunk).is_file()

    def process(self, chunk: int, photos: Sequence[Photo], preparer: FacePreparer) -> ChunkReport:
        """Prepare the photographs of a chunk and keep the result."""
        lines: list[dict[str, Any]] = []
        rejected = offset = 0
        digest = hashlib.sha256()
        with atomic_path(self._bytes(chunk)) as temporary, open(temporary, "wb") as stream:
            for photo in photos:
                try:
                    view = preparer.prepare(photo)
                except RejectedError as error:
                    lines.append({"name": photo.name, "reason": error.reason, "detail": error.detail})
                    rejected += 1
                    continue
                for part in (view.image, view.skin):
                    stream.write(part)
                    digest.update(part)
                lines.append({"offset": offset, "sizes": [len(view.image), len(view.skin)], "facts": view.facts})
                offset += len(view.image) + len(view.skin)
            stream.flush()
            # The facts vouch for the bytes, also after a power cut.
            os.fsync(stream.fileno())
        with atomic_path(self._facts(chunk)) as temporary:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            content = text.encode("utf-8", "surrogateescape")
            digest.update(content)
            temporary.write_bytes(content + _last_line(digest))
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
        with reading(self._facts(chunk), UNFINISHED):
            line = json.loads(self._texts(chunk)[place])
        with reading(self._bytes(chunk), UNFINISHED), open(self._bytes(chunk), "rb") as stream:
            stream.seek(line["offset"])
            image, skin = (stream.read(size) for size in line["sizes"])
        return ViewFiles(image, skin, line["facts"])

    def _lines(self, chunk: int) -> list[dict[str, Any]]:
        with reading(self._facts(chunk), UNFINISHED):
            return [json.loads(text) for text in self._texts(chunk)]

    def _texts(self, chunk: int) -> list[str]:
        """Read the lines of the facts, after a comparison with the checksum."""
        with reading(self._facts(chunk), UNFINISHED):
            content, mark, last = self._facts(chunk).read_bytes().rpartition(_DIGEST)
            if chunk not in self._compared:
                digest = hashlib.sha256(self._bytes(chunk).read_bytes())
                digest.update(content)
                if mark + last != _last_line(digest):
                    raise ValueError("its content, or that of its .bin, is not what was written")
                self._compared.add(chunk)
            return content.decode("utf-8", "surrogateescape").split("\n")[:-1]

    def _facts(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.jsonl"

    def _bytes(self, chunk: int) -> Path:
        return self.folder / f"{chunk:06d}.bin"


def _last_line(digest: Any) -> bytes:
    return _DIGEST + digest.hexdigest().encode() + b'"}\n'
