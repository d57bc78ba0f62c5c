"""Face detectors by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.errors import check_choice
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.settings import DetectorName


def make_detector(
    name: DetectorName = "face-alignment", device: str = "cpu", weights: Sequence[Path] = ()
) -> FaceDetector:
    """Make a detector.

    Args:
        name: of the detector.
        device: where it runs, if it can choose.
        weights: files or folders of its weights; else the cache, else a download.

    Raises:
        MGCError: if the name is unknown, or its package or its weights are missing.
    """
    check_choice("detector", name, DetectorName)
    # Both packages take seconds to import.
    if name == "mediapipe":
        from mgc_lightning.photographs.mediapipe_detector import MediaPipeDetector

        return MediaPipeDetector()
    from mgc_lightning.photographs.face_alignment_detector import FaceAlignmentDetector

    return FaceAlignmentDetector(device, weights)
