"""What determines a set: compared when work is resumed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mgc_lightning.photographs.sources.photo import PhotoSource
from mgc_lightning.preparation.faces import FaceSettings
from mgc_lightning.triplets.grouping import GroupingSettings


@dataclass(frozen=True)
class PrepareSettings:
    """Set how a source becomes a set.

    Attributes:
        faces: from photographs to crops.
        grouping: from crops to triplets.
        shard_samples: samples of a shard.
    """

    faces: FaceSettings = field(default_factory=FaceSettings)
    grouping: GroupingSettings = field(default_factory=GroupingSettings)
    shard_samples: int = 500

    def describe(self) -> dict[str, Any]:
        """Give plain values."""
        described = json.loads(json.dumps(asdict(self), default=str))
        # Where weights lie and what runs them does not change what is wanted.
        del described["faces"]["weights"], described["faces"]["device"]
        return described


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
