"""REALY's ground truth of one subject, in memory."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.metrics.realy.regions import Region


@dataclass(frozen=True)
class ScanRegion:
    """Hold one region of a scan as it is in its file: verts (S, 3) float32, model units; faces (F, 3)."""

    verts: Float[NDArray, "S 3"]
    faces: Int[NDArray, "F 3"]


@dataclass(frozen=True)
class REALYScan:
    """Hold the ground truth of one subject.

    Attributes:
        subject: its number, from 1.
        keypoints: (85, 3) float32, model units (about 9 mm).
        regions: by name.
        scale: mm per model unit.

    Example:
        >>> import numpy as np
        >>> nose = ScanRegion(np.zeros((1, 3), np.float32), np.zeros((0, 3), np.int64))
        >>> scan = REALYScan(subject=1, keypoints=np.zeros((85, 3), np.float32), regions={"nose": nose}, scale=9.1)
        >>> list(scan.regions), scan.scale  # mm per model unit
        (['nose'], 9.1)
    """

    subject: int
    keypoints: Float[NDArray, "85 3"]
    regions: dict[Region, ScanRegion]
    scale: float
