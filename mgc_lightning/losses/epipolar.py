"""Facial epipolar loss: detected landmarks of two views against the predicted poses (MGCNet sec. 3.2)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.geometry.epipolar import (
    MIN_BASELINE,
    baseline,
    epipolar_distance,
    fundamental_from_poses,
)
from mgc_lightning.losses.pairs import ViewPairs
from mgc_lightning.losses.terms import PairLoss


def epipolar_loss(
    landmarks_target: Float[Tensor, "B 68 2"],
    landmarks_source: Float[Tensor, "B 68 2"],
    T_target_model: Float[Tensor, "B 4 4"],
    T_source_model: Float[Tensor, "B 4 4"],
    K_target: Float[Tensor, "B 3 3"],
    K_source: Float[Tensor, "B 3 3"],
    scale: float = 1.0,
) -> Float[Tensor, " B"]:
    """Average the symmetric epipolar distance of the landmarks in px, per sample.

    Views whose cameras coincide have no epipolar geometry: 0, without gradient. The loss constrains poses
    alone, up to a common scale of their translations.

    Args:
        landmarks_target: (B, 68, 2) detected, px.
        landmarks_source: (B, 68, 2) detected, px.
        T_target_model: (B, 4, 4) predicted pose.
        T_source_model: (B, 4, 4) predicted pose.
        K_target: (B, 3, 3) px.
        K_source: (B, 3, 3) px.
        scale: multiplies distances; 224 / image size states the loss in pixels of a 224 px image.

    Example:
        A camera that moves to its right sees every point on the same row; landmarks two rows below are 2 px off.

        >>> import torch
        >>> from mgc_lightning.geometry.camera import intrinsics
        >>> T_target_model = torch.eye(4)[None]
        >>> T_source_model = T_target_model.clone()
        >>> T_source_model[:, 0, 3] = -100.0
        >>> K, landmarks = intrinsics(224)[None], 224 * torch.rand(1, 68, 2)
        >>> below = landmarks + torch.tensor([-30.0, 2.0])
        >>> loss = epipolar_loss(landmarks, below, T_target_model, T_source_model, K, K)
        >>> round(float(loss), 3)
        2.0
    """
    fundamental = fundamental_from_poses(T_target_model, T_source_model, K_target, K_source)
    valid = baseline(T_target_model.detach(), T_source_model.detach()) > MIN_BASELINE
    return scale * epipolar_distance(landmarks_target, landmarks_source, fundamental, valid).mean(-1)


class EpipolarConsistency(PairLoss):
    """Hold the detected landmarks of each pair on the epipolar lines of the predicted poses.

    Example:
        >>> from mgc_lightning.losses import pair_views, perfect_views
        >>> views, batch = perfect_views()
        >>> EpipolarConsistency()(pair_views(views, batch)).round(decimals=2)  # landmarks and poses agree
        tensor([0., 0.])
    """

    link = 2

    def forward(self, pairs: ViewPairs) -> Float[Tensor, " P"]:
        """Give the mean distance of each pair to the epipolar lines, px of a 224 px image."""
        target, source = pairs.target, pairs.source
        return epipolar_loss(
            target.detected,
            source.detected,
            target.T_cam_model.float(),
            source.T_cam_model.float(),
            target.K.float(),
            source.K.float(),
            scale=REFERENCE_SIZE / pairs.image_size,
        )
