"""Face detectors by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.detection import FaceDetector

DETECTORS = ("face-alignment", "mediapipe")
"""Names that `make_detector` takes."""


def make_detector(name: str = "face-alignment", device: str = "cpu", weights: Sequence[Path] = ()) -> FaceDetector:
    """Make a detector.

    Args:
        name: one of `DETECTORS`.
        device: where it runs, if it can choose.
        weights: files or folders of its weights; else the cache, else a download.

    Raises:
        MGCError: if the name is unknown, or its package or its weights are missing.
    """
    # Both packages take seconds to import.
    if name == "mediapipe":
        from mgc_lightning.photographs.mediapipe_detector import MediaPipeDetector

        return MediaPipeDetector()
    if name == "face-alignment":
        from mgc_lightning.photographs.face_alignment_detector import FaceAlignmentDetector

        return FaceAlignmentDetector(device, weights)
    raise MGCError(f"Expected a detector of {DETECTORS}, got {name!r}")
