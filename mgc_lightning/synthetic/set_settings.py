"""What synthetic benchmark sets are made of; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Degrees, Metavar, Whole, Within

Millimetres = Annotated[float, Metavar("MM")]
Size = Annotated[float, Metavar("MM"), Within(0)]
HeadLevel = Literal[0, 1]
"""Levels of detail of the embedded head."""


@dataclass(frozen=True)
class ScannerSettings(Checked):
    """Describe the scanner, which looks at the head from all sides of its vertical axis.

    Attributes:
        spacing: distance of neighbouring rays in mm at a radius of 90 mm.
        half_angle: degrees to both sides of the front that are seen.
        axis_z: z in mm of the vertical axis, model frame.
        noise: standard deviation in mm along the ray, of each vertex by itself.
        waves: amplitude in mm of slow errors of calibration.
        holes: number of holes in a scan.
        hole_radius: least and greatest radius of holes, mm.
    """

    spacing: Annotated[float, Metavar("MM"), Within(0.1)] = 1.1
    half_angle: Degrees = 105.0
    axis_z: Millimetres = -15.0
    noise: Size = 0.1
    waves: Size = 0.05
    holes: Whole = 6
    hole_radius: Annotated[tuple[float, float], Metavar("LEAST GREATEST"), Within(0)] = (2.0, 6.0)


REALY_SCANNER = ScannerSettings(spacing=1.4, half_angle=80.0, holes=12, hole_radius=(1.5, 4.0))


@dataclass(frozen=True)
class NoWSetSettings(Checked):
    """Describe a synthetic NoW data set.

    Attributes:
        subjects: people.
        images: photographs of each person and challenge.
        image_size: side of the photographs in px.
        seed: of everything random.
        scanner: the virtual scanner.

    Example:
        >>> settings = NoWSetSettings(subjects=2, scanner=ScannerSettings(spacing=3.0))  # two people, a coarse scanner
        >>> settings.images, settings.scanner.holes
        (2, 6)
    """

    subjects: Count = 5
    images: Count = 2
    image_size: Annotated[int, Metavar("PX"), Within(64)] = 384
    seed: Whole = 0
    scanner: ScannerSettings = ScannerSettings()


@dataclass(frozen=True)
class REALYSetSettings(Checked):
    """Describe a synthetic REALY data set.

    Attributes:
        subjects: people.
        views: side views of each.
        seed: of everything random.
        level: of the head mesh that is scanned.
        image_size: side of the images in px.
        scanner: the virtual scanner.
    """

    subjects: Count = 10
    views: Whole = 4
    seed: Whole = 0
    level: HeadLevel = 1
    image_size: Annotated[int, Metavar("PX"), Within(32)] = 512
    scanner: ScannerSettings = REALY_SCANNER
