"""What is fitted to a scan, and how closely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Flag, Weight


@dataclass(frozen=True)
class ScanFitSettings(Checked):
    """Choose what is fitted, and how closely.

    Attributes:
        expression: fit expression too; off, the scan is taken for a neutral face.
        scale: fit the scale too, as NoW does; off where the scan is in mm for certain and its size is to count.
        prior_identity: mm^2 of the mean squared distance that one squared standard deviation of identity costs.
        prior_expression: the same of expression.
        landmarks: weight at the start of the mean squared landmark distance against that of the surface; it falls
            to that of the end, since points are placed by a few mm and the surface is measured.
        landmarks_end: weight at the end.
        robust: mm; distances well beyond count little (holes, hair, collars, misplaced points).
        iterations: Gauss-Newton steps, each with its closest points.
        points: at most so many scan points, evenly chosen.
        reach: radius of the ball of scan points around the nose that are fitted, in radii of NoW's ball.
    """

    expression: bool = False
    scale: bool = True
    prior_identity: Weight = 1e-3
    prior_expression: Weight = 3e-3
    landmarks: Annotated[Weight, Flag("--landmark-weight")] = 1.0
    landmarks_end: Annotated[Weight, Flag("--landmark-weight-end")] = 0.003
    robust: Weight = 4.0
    iterations: Count = 20
    points: Annotated[Count, Flag("--scan-points")] = 8_000
    reach: Weight = 1.0
