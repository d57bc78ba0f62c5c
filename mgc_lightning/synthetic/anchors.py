"""Frames of face parts in the image, which glasses, masks and hair are placed in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_EYE_HEIGHT = 0.135


def face_anchors(landmarks: Float[Tensor, "B 68 2"], image_size: int) -> Float[Tensor, "B 6 4"]:
    """Give origin u, v, width and height of each frame of `shapes`, in image widths.

    Widths of eyes and mouth follow the landmarks, and so shrink as the head turns.

    Args:
        landmarks: (B, 68, 2) px.
        image_size: side of the image in px.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic import make_triplets
        >>> batch = make_triplets(load_face_model(), 1, image_size=32, views=1)
        >>> face_anchors(batch.landmarks[:, 0], 32).shape
        torch.Size([1, 6, 4])
    """
    points = landmarks / image_size
    left, right = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    image = torch.tensor([0.0, 0.0, 1.0, 1.0], device=points.device, dtype=points.dtype).expand(len(points), -1)
    height = torch.full_like(points[:, 0, :1], _EYE_HEIGHT)
    chin, nose = points[:, 8], points[:, 33]
    lowest, highest = points.amax(1), points.amin(1)
    face = (lowest - highest)[:, 1:]
    frames = [
        image,
        torch.cat([left, _span(points, 36, 39), height], 1),
        torch.cat([right, _span(points, 42, 45), height], 1),
        torch.cat([(left + right) / 2, (right - left)[:, :1].abs(), height], 1),
        torch.cat([(chin + nose) / 2, 0.5 * _span(points, 4, 12), 0.65 * (chin - nose)[:, 1:].abs()], 1),
        torch.cat([(lowest + highest) / 2, face, face], 1),
    ]
    return torch.stack(frames, dim=1).clamp(min=-2, max=3)


def _span(points: Tensor, first: int, last: int) -> Tensor:
    return (points[:, last] - points[:, first])[:, :1].abs().clamp(min=0.02)
