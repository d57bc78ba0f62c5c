"""What the scan benchmark is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.plan import PhotographSettings

Unit = Literal["mm", "cm", "m"]
Votes = Literal["auto", "vertices", "surface"]


@dataclass(frozen=True)
class ScanBenchmarkSettings:
    """Choose what is measured.

    Attributes:
        photographs: which are taken.
        unit: of scans and points; None for what the points' file says, metres for .glb, else mm.
        votes: what NoW counts: the scan's `vertices`, points of its `surface` at equal density, or `auto`, the
            surface where fewer than 10,000 vertices would vote.
        landmarks: folder of 5 or 68 points for each photograph, instead of a detector.
        box_looseness: by which each side of a box is off, of its size, a standard deviation.
        refine: reconstruct from several photographs too.
        steps: of that refinement.
        tile: side in px of the pictures of the sheet.
    """

    photographs: PhotographSettings = field(default_factory=PhotographSettings)
    unit: Unit | None = None
    votes: Votes = "auto"
    landmarks: Path | None = None
    box_looseness: float = 0.05
    refine: bool = True
    steps: int = 150
    tile: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.box_looseness <= 0.5 or self.steps < 1:
            raise MGCError(
                f"Expected a box looseness of 0 to .5 and at least one step, got {self.box_looseness} and {self.steps}"
            )
        if self.landmarks is not None and not self.landmarks.is_dir():
            raise MGCError(f"--landmarks {self.landmarks}: expected a folder with a file a photograph")


@dataclass(frozen=True)
class HeadSource:
    """Name a scan and its points (looked for beside it if None)."""

    scan: Path
    points: Path | None = None


def pair_sources(scans: Sequence[Path], points: Sequence[Path]) -> list[HeadSource]:
    """Bring scans and files of points together, in order.

    Raises:
        MGCError: if there are points, but not one file a scan, or two scans have one name.
    """
    if points and len(points) != len(scans):
        raise MGCError(f"Expected a file of points for each of {len(scans)} scans, in their order; got {len(points)}")
    names = [scan.stem for scan in scans]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MGCError(f"Two scans are called {twice}; their results would overwrite each other: rename one")
    return [HeadSource(scan, points[i] if points else None) for i, scan in enumerate(scans)]
