"""Weighted squared distance of projected and detected landmarks (MGCNet sec. 3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.losses.terms import ViewLoss
from mgc_lightning.losses.views import SingleViews

DETAIL_LANDMARKS = (*range(27, 36), *range(60, 68))
"""Nose and inner lips, 0-based iBUG indices: the landmarks that get the larger weight."""


def landmark_weights(detail: float = 5.0, device: torch.device | str | None = None) -> Float[Tensor, " 68"]:
    """Give the weight of each of the 68 landmarks: `detail` for nose and inner lips, 1 for the others.

    Example:
        >>> weights = landmark_weights()
        >>> weights[30], weights[8]
        (tensor(5.), tensor(1.))
    """
    weights = torch.ones(68, device=device)
    weights[list(DETAIL_LANDMARKS)] = detail
    return weights


def landmark_loss(
    predicted: Float[Tensor, "B 68 2"],
    detected: Float[Tensor, "B 68 2"],
    weights: Float[Tensor, " 68"] | Float[Tensor, "B 68"],
    scale: float = 1.0,
) -> Float[Tensor, " B"]:
    """Average w_j |q_j - q*_j|^2 over the landmarks of each sample (not divided by the sum of weights).

    Args:
        predicted: (B, 68, 2) px.
        detected: (B, 68, 2) px.
        weights: (68,), or (B, 68) of each sample's.
        scale: multiplies distances; 224 / image size states the loss in pixels of a 224 px image.

    Example:
        >>> detected = torch.zeros(1, 68, 2)
        >>> landmark_loss(detected + torch.tensor([3.0, 4.0]), detected, torch.ones(68))
        tensor([25.])
    """
    squared = (predicted - detected).square().sum(-1) * scale**2
    return (weights * squared).mean(-1)


class Landmarks(ViewLoss):
    """Compare projected with detected landmarks.

    Args:
        detail: weight of nose and inner lips beside 1 for the others.

    Example:
        >>> from mgc_lightning.losses import perfect_views
        >>> views, batch = perfect_views()
        >>> batch.landmarks = views.landmarks + torch.tensor([0.0, 1.0])  # detected 1 px lower: 7 px of a 224 px image
        >>> Landmarks(detail=1.0)(SingleViews(views, batch)).round()
        tensor([49., 49., 49.])
    """

    weights: Float[Tensor, " 68"]

    def __init__(self, detail: float = 5.0) -> None:
        super().__init__()
        self.register_buffer("weights", landmark_weights(detail), persistent=False)

    def forward(self, views: SingleViews) -> Float[Tensor, " N"]:
        """Give the weighted squared distance of each view, in px^2 of a 224 px image."""
        trust = views.landmark_weights
        weights = self.weights if trust is None else self.weights * trust
        return landmark_loss(views.landmarks, views.detected, weights, REFERENCE_SIZE / views.image_size)
