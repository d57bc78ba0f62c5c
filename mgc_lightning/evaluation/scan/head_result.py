"""What became of one head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mgc_lightning.evaluation.scan.faces import (
    PredictedFace,
)
from mgc_lightning.evaluation.scan.heads import ScanHead
from mgc_lightning.evaluation.scan.photo_set import TakenPhotograph
from mgc_lightning.evaluation.scan.score import ScanScore
from mgc_lightning.fitting.scan_fit import ScanFit

Progress = Callable[[str, int, int], None]
"""Called with a stage, what is done and what there is."""


@dataclass
class HeadResult:
    """Hold what became of one head.

    Attributes:
        head: the scan.
        fit: the face model on it, neutral: the limit.
        photographs: of the scan.
        own: of the fitted face model in painted colours.
        scores: of every mesh.
        faces: column -> the predicted face of each photograph alone, None where no face was found.
        groups: (column, method, places) -> faces, from several photographs.
    """

    head: ScanHead
    fit: ScanFit
    photographs: list[TakenPhotograph]
    own: list[TakenPhotograph]
    scores: list[ScanScore] = field(default_factory=list)
    faces: dict[str, list[PredictedFace | None]] = field(default_factory=dict)
    groups: dict[tuple[str, str, tuple[int, ...]], list[PredictedFace]] = field(default_factory=dict)

    def release(self) -> None:
        """Let go of what only pictures need: images, reconstructions, texture; heads add up."""
        self.head = replace(self.head, mesh=replace(self.head.mesh, texture=None, uv=None, colors=None))
        for column, faces in self.faces.items():
            self.faces[column] = [face and replace(face, reconstruction=None) for face in faces]
        for key, group in self.groups.items():
            self.groups[key] = [replace(face, reconstruction=None) for face in group]


def photographs_of(result: HeadResult, column: str) -> list[TakenPhotograph]:
    """Give the photographs of a column."""
    return result.own if column == "own" else result.photographs
