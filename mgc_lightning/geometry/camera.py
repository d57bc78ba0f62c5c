"""Pinhole cameras in the OpenCV convention: x right, y down, z forward, pixel centres at +.5."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

REFERENCE_SIZE = 224
"""Image size in px at which focal lengths are stated."""
DEFAULT_FOCAL = 4700.0
"""Focal length in px at `REFERENCE_SIZE` (MGCNet's fixed camera: a field of view of 2.7 degrees)."""
FACE_SIZE = 150.0
"""mm of a face from hairline to chin, nearly."""


def intrinsics(
    image_size: int,
    focal: float = DEFAULT_FOCAL,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "3 3"]:
    """Make the intrinsics of a square image with the principal point at its centre.

    Args:
        image_size: side of the image in px.
        focal: focal length in px of a 224 px image; scaled to `image_size`, so the field of view stays.
        device: where K is made.
        dtype: of K.

    Returns:
        K (3, 3) in px.

    Example:
        >>> intrinsics(112).tolist()
        [[2350.0, 0.0, 56.0], [0.0, 2350.0, 56.0], [0.0, 0.0, 1.0]]
    """
    scaled = focal * image_size / REFERENCE_SIZE
    centre = image_size / 2
    return torch.tensor([[scaled, 0.0, centre], [0.0, scaled, centre], [0.0, 0.0, 1.0]], device=device, dtype=dtype)


def project(
    points_cam: Float[Tensor, "*batch N 3"], K: Float[Tensor, "*batch 3 3"] | Float[Tensor, "3 3"]
) -> Float[Tensor, "*batch N 2"]:
    """Project camera-frame points to pixels: u = (fx x + s y) / z + cx, v = fy y / z + cy.

    Args:
        points_cam: (..., N, 3) mm, camera frame. Points behind the camera get the pixels of the pinhole
            equation (mirrored), as their z is negative; z = 0 gives infinity or NaN. Mask them by z where
            that can happen.
        K: (..., 3, 3) or (3, 3) intrinsics in px.

    Returns:
        (..., N, 2) px, continuous: the centre of the first pixel is (.5, .5).

    Example:
        >>> project(torch.tensor([[0.0, 0.0, 1000.0]]), intrinsics(224)).tolist()
        [[112.0, 112.0]]
    """
    rays = points_cam[..., :2] / points_cam[..., 2:]
    return rays @ K[..., :2, :2].mT + K[..., None, :2, 2]
