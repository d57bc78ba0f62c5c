"""Identity loss: a frozen recogniser sees the photograph and the render alike (MGCNet sec. 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.geometry.view_synthesis import pixel_centres, sample_bilinear
from mgc_lightning.losses.terms import ViewLoss
from mgc_lightning.losses.views import SingleViews

# fmt: off
TEMPLATE_68 = (
    (14.25, 49.16), (15.06, 75.36), (18.1, 101.78), (23.66, 127.65), (33.86, 151.78), (49.44, 173.01),
    (68.26, 191.11), (89.45, 205.85), (113.44, 209.75), (137.44, 205.08), (158.66, 190.04),
    (177.58, 171.65), (193.0, 150.04), (202.78, 125.34), (207.54, 98.79), (209.61, 71.98), (209.75, 45.36),
    (32.8, 29.12), (44.62, 19.13), (60.73, 16.48), (77.42, 18.98), (93.17, 25.55), (125.42, 24.44),
    (141.57, 17.27), (158.52, 14.25), (175.13, 16.58), (187.73, 26.03), (109.84, 44.58), (110.03, 61.84),
    (110.23, 79.11), (110.45, 96.77), (91.94, 108.1), (101.1, 111.82), (111.01, 114.82), (120.91, 111.38),
    (129.94, 107.55), (52.21, 47.34), (62.35, 41.02), (74.86, 41.11), (85.37, 49.04), (74.15, 51.56),
    (61.94, 51.67), (135.26, 48.03), (145.72, 39.65), (158.19, 39.26), (168.47, 45.18), (159.14, 49.75),
    (147.02, 50.17), (74.29, 139.73), (87.75, 133.69), (101.58, 130.97), (111.46, 133.26), (121.78, 130.66),
    (136.1, 132.94), (150.2, 138.22), (137.04, 152.87), (123.22, 159.59), (112.04, 160.99), (101.3, 160.05),
    (87.58, 153.94), (80.19, 140.57), (101.64, 139.5), (111.6, 140.34), (122.05, 139.09), (144.26, 139.28),
    (122.37, 146.5), (111.74, 148.0), (101.56, 146.92),
)
"""Mean landmarks of OpenFace's 68-point template in px of a 224 px crop, as FaceNet's crops are aligned."""
# fmt: on


def align_to_template(
    image: Float[Tensor, "B 3 H W"], landmarks: Float[Tensor, "B 68 2"], crop_size: int = 160
) -> Float[Tensor, "B 3 S S"]:
    """Cut a face out of an image so that its landmarks lie on the recogniser's template.

    The similarity has Horn's symmetric scale; the image is mirrored beyond its border. No gradient passes
    through the landmarks.

    Args:
        image: (B, 3, H, W).
        landmarks: (B, 68, 2) px in the image.
        crop_size: side S of the crop.

    Example:
        >>> landmarks = torch.tensor([TEMPLATE_68])
        >>> align_to_template(torch.rand(1, 3, 224, 224), landmarks).shape
        torch.Size([1, 3, 160, 160])
    """
    to_image = _template_to_image(landmarks.detach().to(image.dtype))
    grid = pixel_centres(crop_size, crop_size, image.device, image.dtype) * (REFERENCE_SIZE / crop_size)
    points = torch.cat([grid, torch.ones_like(grid[..., :1])], dim=-1).flatten(0, 1)
    uv = (points @ to_image.mT).unflatten(1, (crop_size, crop_size))
    return sample_bilinear(image, uv, padding="reflection")


def cosine_distance(
    first: Float[Tensor, "B D"], second: Float[Tensor, "B D"], eps: float = 1e-8
) -> Float[Tensor, " B"]:
    """Measure 1 - cos of the angle between embeddings of any length.

    Example:
        >>> cosine_distance(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        tensor([1., 0.])
    """
    return 1 - F.cosine_similarity(first, second, dim=-1, eps=eps)


class IdentityLoss(nn.Module):
    """Compare the embeddings of a photograph and of its composite with the rendered face.

    The recogniser follows the device but is no submodule: checkpoints do not carry it.

    Args:
        recogniser: maps RGB crops (B, 3, S, S) in [0, 1] to embeddings (B, D) and does its own whitening; it
            is frozen and stays in evaluation mode.
        crop_size: side S of its crops.

    Example:
        >>> recogniser = nn.Sequential(nn.AvgPool2d(16), nn.Flatten(), nn.Linear(300, 8))
        >>> loss = IdentityLoss(recogniser)
        >>> image, landmarks = torch.rand(1, 3, 224, 224), torch.tensor([TEMPLATE_68])
        >>> bool(loss(image, image, landmarks, landmarks) < 1e-6)
        True
    """

    recogniser: nn.Module

    def __init__(self, recogniser: nn.Module, crop_size: int = 160) -> None:
        super().__init__()
        object.__setattr__(self, "recogniser", recogniser.requires_grad_(False).eval())
        self.crop_size = crop_size

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.recogniser._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def forward(
        self,
        composite: Float[Tensor, "B 3 H W"],
        image: Float[Tensor, "B 3 H W"],
        predicted: Float[Tensor, "B 68 2"],
        detected: Float[Tensor, "B 68 2"],
    ) -> Float[Tensor, " B"]:
        """Give 1 - f(A(image; detected)) . f(A(composite; predicted)) per sample; A aligns to the template.

        Args:
            composite: (B, 3, H, W) render over the image.
            image: (B, 3, H, W) RGB in [0, 1].
            predicted: (B, 68, 2) projected landmarks, px.
            detected: (B, 68, 2) px.
        """
        with torch.no_grad():
            reference = self.recogniser(align_to_template(image, detected, self.crop_size))
        embedding = self.recogniser(align_to_template(composite, predicted, self.crop_size))
        return cosine_distance(embedding.float(), reference.float())


class Identity(ViewLoss):
    """Compare who a recogniser sees in each photograph and in its composite.

    Args:
        loss: with its recogniser.

    Example:
        >>> from mgc_lightning.losses import perfect_views
        >>> from mgc_lightning.losses.views import SingleViews
        >>> views, batch = perfect_views()
        >>> recogniser = nn.Sequential(nn.AvgPool2d(16), nn.Flatten())  # `FaceNet` in earnest
        >>> Identity(IdentityLoss(recogniser))(SingleViews(views, batch)).round(decimals=3)  # one face in each
        tensor([0., 0., 0.])
    """

    def __init__(self, loss: IdentityLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, views: SingleViews) -> Float[Tensor, " N"]:
        """Give the identity loss of each view, in units of 1 - cosine."""
        return self.loss(views.composite, views.photograph, views.landmarks, views.detected)


def _template_to_image(landmarks: Float[Tensor, "B 68 2"]) -> Float[Tensor, "B 2 3"]:
    template = landmarks.new_tensor(TEMPLATE_68)
    centre, centre_template = landmarks.mean(1), template.mean(0)
    points, reference = landmarks - centre[:, None], template - centre_template
    dot = (points * reference).sum((1, 2))
    cross = (reference[:, 0] * points[..., 1] - reference[:, 1] * points[..., 0]).sum(1)
    angle = torch.atan2(cross, dot)
    scale = (points.square().sum((1, 2)) / reference.square().sum()).sqrt()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    offset = centre - linear @ centre_template
    return torch.cat([linear, offset[..., None]], dim=-1)
