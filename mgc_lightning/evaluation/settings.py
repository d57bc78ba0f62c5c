"""What the benchmarks and their submissions are told; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, File, Flag, Folder, Metavar, Within
from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.now.names import Challenge, Unit

NoWSplit = Literal["validation", "test"]
"""Image lists of the NoW data set."""
REALYView = Literal["frontal", "side"]
"""Kinds of REALY's photographs, each with a score of its own."""
TopologyName = Annotated[str | Path, Metavar("NAME|PATH.obj")]
Protocol = Literal["now", "realy"]
"""Benchmarks of which methods are compared."""
MeshFormat = Literal["obj", "ply"]
"""Meshes of submissions."""
Neutral = Annotated[bool, Flag(off=("--no-neutral", "--expression"))]
BoxScale = Annotated[float, Metavar("X"), Within(0.1, 10)]


@dataclass(frozen=True, kw_only=True)
class NoWSettings(Checked):
    """Set how a folder of predictions is scored by NoW.

    Attributes:
        split: list of the images.
        challenge: one challenge only.
        unit: keep the scale of the predictions, in this unit; the metrical benchmark.
        corrected_start: metrical only: start from the translation of the fixed scale. The official program starts
            predictions that are far from their origin centimetres off; these numbers are not comparable with its.
        allow_missing: score what is there.
        skip_checks: do not check units and the order of landmarks.
        jobs: processes.

    Example:
        >>> NoWSettings(unit="m").split
        'validation'
        >>> NoWSettings(unit="inch")
        Traceback (most recent call last):
            ...
        mgc_lightning.errors.MGCError: `unit` must be one of mm, cm, m; got 'inch'
    """

    split: NoWSplit = "validation"
    challenge: Challenge | None = None
    unit: Annotated[Unit, Flag("--metrical")] | None = None
    corrected_start: bool = False
    allow_missing: bool = False
    skip_checks: bool = False
    jobs: Count = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corrected_start and self.unit is None:
            raise MGCError("`corrected_start=True` is an option of the metrical benchmark: give `unit` too")


@dataclass(frozen=True, kw_only=True)
class REALYSettings(Checked):
    """Set how a folder of predictions is scored by REALY.

    Attributes:
        mask: 0 or 1 per template vertex: what to measure to.
        view: predictions to score; all in the folder if not given.
        allow_missing: score what is there.
        jobs: processes.
    """

    mask: File | None = None
    view: REALYView | None = None
    allow_missing: bool = False
    jobs: Count = 1


@dataclass(frozen=True, kw_only=True)
class NoWSubmissionSettings(Checked):
    """Set what a network writes for the NoW organisers.

    Attributes:
        photos: tree with iphone_pictures/ and detected_face/; looked for in the data set if not given.
        split: list of the images.
        neutral: leave the predicted expression away; NoW scores neutral faces, published REALY scores include it.
        format: of the meshes.
        box_scale: enlarge the detected boxes.
        batch_size: photographs at a time.
    """

    photos: Folder | None = None
    split: NoWSplit = "test"
    neutral: Neutral = True
    format: MeshFormat = "obj"
    box_scale: BoxScale = 1.0
    batch_size: Count = 16


@dataclass(frozen=True, kw_only=True)
class REALYSubmissionSettings(Checked):
    """Set what a network writes for REALY.

    Attributes:
        photos: folder of <subject>.jpg and <subject>_<view>.jpg; looked for in the data set if not given.
        landmarks: folder of 68 or 5 landmarks or a box of each photograph; likewise.
        view: which photographs.
        neutral: leave the predicted expression away; NoW scores neutral faces, published REALY scores include it.
        format: of the meshes.
        batch_size: photographs at a time.
    """

    photos: Annotated[Folder, Flag(earlier=("--images",))] | None = None
    landmarks: Folder | None = None
    view: REALYView = "frontal"
    neutral: Neutral = False
    format: MeshFormat = "obj"
    batch_size: Count = 16
