"""Published NoW results on the test set, non-metrical, for comparison: median, mean, std in mm."""

from __future__ import annotations

from typing import NamedTuple


class PublishedRow(NamedTuple):
    """Hold a published result; None where only the median is quoted.

    Example:
        >>> next(row for row in PUBLISHED if row.method == "MGCNet")  # mm, NoW's test set
        PublishedRow(method='MGCNet', median=1.31, mean=1.87, std=2.63)
    """

    method: str
    median: float
    mean: float | None = None
    std: float | None = None


DEEP3D = "README of sicxu/Deep3DFaceRecon_pytorch"
SOURCES = f"NoW test set: {DEEP3D}; SynergyNet: its issue 24; MICA: its README"

PUBLISHED = (
    PublishedRow("MGCNet", 1.31, 1.87, 2.63),
    PublishedRow("MICA", 0.90, 1.11, 0.92),
    PublishedRow("DECA", 1.09, 1.38, 1.18),
    PublishedRow("Deep3DFace PyTorch", 1.11, 1.41, 1.21),
    PublishedRow("RingNet", 1.21, 1.53, 1.31),
    PublishedRow("Deep3DFace TF", 1.23, 1.54, 1.29),
    PublishedRow("3DDFA-V2", 1.23, 1.57, 1.39),
    PublishedRow("SynergyNet", 1.27, 1.59, 1.31),
    PublishedRow("PRNet", 1.50, 1.98, 1.88),
    PublishedRow("3DMM-CNN", 1.84, 2.33, 2.05),
)
