"""Which faces are fit for training: size, sharpness, confidence; each rejection has a name and a number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.crop import similarity_scale
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.photographs.settings import QualityLimits


class RejectedError(MGCError):
    """Say why a photograph gives no sample.

    Attributes:
        reason: a short name, for counting.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


def choose_face(faces: list[DetectedFace], limits: QualityLimits) -> DetectedFace:
    """Choose the face of a photograph; faces come largest first.

    Raises:
        RejectedError: if there is none, or another one of a similar size where that is refused.

    Example:
        >>> outline = torch.tensor([[0.0, 0.0], [40.0, 40.0]]).repeat(34, 1)
        >>> large, small = DetectedFace(outline), DetectedFace(0.8 * outline)
        >>> choose_face([large, small], QualityLimits()) is large
        True
        >>> choose_face([large, small], QualityLimits(several="reject"))
        Traceback (most recent call last):
            ...
        mgc_lightning.photographs.quality.RejectedError: several faces: 2
    """
    sure = [face for face in faces if face.score >= limits.min_score and bool(face.landmarks.isfinite().all())]
    if not sure:
        raise RejectedError("no face", f"best score {max((f.score for f in faces), default=0):.2f}" if faces else "")
    others = [face for face in sure[1:] if face.size >= limits.second_face * sure[0].size]
    if others and limits.several == "reject":
        raise RejectedError("several faces", str(1 + len(others)))
    face = sure[0]
    if face.confidence is not None and float(face.confidence.mean()) < limits.min_confidence:
        raise RejectedError("uncertain landmarks", f"mean confidence {float(face.confidence.mean()):.2f}")
    return face


def check_scale(crop_from_image: Float[Tensor, "2 3"], limits: QualityLimits) -> None:
    """Make sure that the face is large enough.

    Raises:
        RejectedError: if not.

    Example:
        >>> fivefold = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])  # the crop shows the face five times enlarged
        >>> check_scale(fivefold, QualityLimits(min_scale=0.1))
        >>> check_scale(fivefold, QualityLimits(min_scale=0.3))
        Traceback (most recent call last):
            ...
        mgc_lightning.photographs.quality.RejectedError: face too small: 0.20 px for each px of the crop
    """
    scale = 1 / float(similarity_scale(crop_from_image))
    if not scale >= limits.min_scale:
        raise RejectedError("face too small", f"{scale:.2f} px for each px of the crop")


def sharpness(crop: Float[Tensor, "3 S S"], area: Float[Tensor, "1 S S"]) -> float:
    """Give the standard deviation of the Laplacian of the grey image inside an area, in 1/255.

    The variance of the Laplacian as a measure of focus: Pech-Pacheco et al., ICPR 2000.

    Example:
        >>> everywhere = torch.ones(1, 32, 32)
        >>> board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * torch.ones(3, 1, 1)
        >>> sharpness(torch.full((3, 32, 32), 0.5), everywhere), sharpness(board, everywhere) > 500
        (0.0, True)
    """
    kernel = crop.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    response = F.conv2d(F.pad(crop.mean(0)[None, None], (1, 1, 1, 1), mode="replicate"), kernel)[0]
    weight = area / area.sum().clamp(min=1e-6)
    mean = (response * weight).sum()
    return 255 * float(((response - mean).square() * weight).sum().sqrt())


def check_sharpness(value: float, limits: QualityLimits) -> None:
    """Make sure that the face is sharp enough.

    Raises:
        RejectedError: if not.
    """
    if not value >= limits.min_sharpness:
        raise RejectedError("blurred", f"sharpness {value:.2f}")


def check_yaw(yaw: float, limits: QualityLimits) -> None:
    """Make sure that the head is turned no further than the limit.

    Raises:
        RejectedError: if it is, or the pose could not be found.
    """
    if not abs(yaw) <= limits.max_yaw:
        raise RejectedError("turned too far", f"yaw {yaw:.0f} degrees")


def inside(landmarks: Float[Tensor, "68 2"], height: int, width: int) -> float:
    """Give the share of the landmarks that lie in the picture.

    Example:
        >>> landmarks = torch.rand(68, 2) * 50
        >>> inside(landmarks, height=50, width=50), inside(landmarks - 100, height=50, width=50)
        (1.0, 0.0)
    """
    size = torch.tensor([width, height], dtype=landmarks.dtype)
    return float(((landmarks >= 0) & (landmarks <= size)).all(1).float().mean())
