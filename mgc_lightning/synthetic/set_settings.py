"""What synthetic benchmark sets are made of; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mgc_lightning.arguments.types import Count, Degrees, Metavar, Pixels
from mgc_lightning.errors import MGCError, check_choice

Millimetres = Annotated[float, Metavar("MM")]
HeadLevel = Literal[0, 1]
"""Levels of detail of the embedded head."""


@dataclass(frozen=True)
class ScannerSettings:
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

    spacing: Millimetres = 1.1
    half_angle: Degrees = 105.0
    axis_z: Millimetres = -15.0
    noise: Millimetres = 0.1
    waves: Millimetres = 0.05
    holes: Count = 6
    hole_radius: Annotated[tuple[float, float], Metavar("LEAST GREATEST")] = (2.0, 6.0)


REALY_SCANNER = ScannerSettings(spacing=1.4, half_angle=80.0, holes=12, hole_radius=(1.5, 4.0))


@dataclass(frozen=True)
class NoWSetSettings:
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
    image_size: Pixels = 384
    seed: Count = 0
    scanner: ScannerSettings = ScannerSettings()

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.images < 1 or self.image_size < 64 or self.seed < 0:
            raise MGCError(
                "Expected `subjects` >= 1, `images` >= 1, `image_size` >= 64 px and `seed` >= 0; "
                f"got {self.subjects}, {self.images}, {self.image_size} and {self.seed}"
            )


@dataclass(frozen=True)
class REALYSetSettings:
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
    views: Count = 4
    seed: Count = 0
    level: HeadLevel = 1
    image_size: Pixels = 512
    scanner: ScannerSettings = REALY_SCANNER

    def __post_init__(self) -> None:
        check_choice("level", self.level, HeadLevel)
        if self.subjects < 1 or self.views < 0 or self.image_size < 32 or self.seed < 0:
            raise MGCError(
                "Expected `subjects` >= 1, `views` >= 0, `image_size` >= 32 px and `seed` >= 0; "
                f"got {self.subjects}, {self.views}, {self.image_size} and {self.seed}"
            )
