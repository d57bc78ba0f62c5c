"""Supervision: distances from a known face. Not MGCNet's, whose objective needs no ground truth."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.geometry.pose import rotation_error
from mgc_lightning.losses.terms import SampleLoss
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet

_SMALL = 1e-4
"""Added to squared distances: the gradient of a distance is not defined at 0."""


class GroundTruth(SampleLoss):
    """Measure how far predicted faces are from true ones, for data that know them (synthetic faces, registered scans).

    **Supervised**: the paper's objective has no such term. `configs/pretrain.yaml` starts the shipped weights with it.

    Args:
        neutral: weight of the mean distance of vertices without expression, mm.
        posed: weight of the mean distance of vertices with expression, mm.
        landmark: weight of the mean distance of the 68 points, px of a 224 px image.
        rotation: weight of the angle between head rotations, degrees.
        outside: weight of vertices outside the face mask (ears, scalp, neck) beside 1 within.

    Example:
        In a config: `extra: {truth: {loss: {class_path: mgc_lightning.losses.GroundTruth}, weight: 1.0}}`.

        >>> true = torch.tensor([[[[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]]])
        >>> round(mean_distance(torch.zeros(1, 1, 2, 3), true, torch.ones(2)).item(), 3)
        3.0
    """

    def __init__(
        self,
        neutral: float = 1.0,
        posed: float = 1.0,
        landmark: float = 0.5,
        rotation: float = 0.3,
        outside: float = 0.1,
    ) -> None:
        super().__init__()
        weights = {"neutral": neutral, "posed": posed, "landmark": landmark, "rotation": rotation, "outside": outside}
        negative = [name for name, weight in weights.items() if not weight >= 0]
        if negative:
            raise MGCError(f"Weights must not be negative; look at {', '.join(negative)}")
        self.neutral, self.posed, self.landmark, self.rotation = neutral, posed, landmark, rotation
        self.outside = outside

    def applies(self, batch: FaceTriplet) -> Bool[Tensor, " B"]:
        """Say which samples have ground truth: all of a batch, or none."""
        return torch.full_like(batch.link, batch.truth is not None, dtype=torch.bool)

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give the weighed sum of the distances, averaged over the views.

        Raises:
            MGCError: if the true faces have another topology than the predicted ones.
        """
        truth = batch.truth
        if truth is None:
            return batch.images.new_zeros(len(batch.images), dtype=torch.float32)
        if truth.verts_neutral.shape != views.verts_neutral.shape:
            raise MGCError(
                f"True faces have {truth.verts_neutral.shape[-2]} vertices, predicted ones "
                f"{views.verts_neutral.shape[-2]}: data and model need one face model at one level"
            )
        weights = torch.where(views.face_mask, 1.0, self.outside)
        total = self.neutral * mean_distance(views.verts_neutral, truth.verts_neutral, weights)
        total = total + self.posed * mean_distance(views.mesh.verts, truth.verts_posed, weights)
        scale = REFERENCE_SIZE / views.image_size
        pixels = mean_distance(views.landmarks, batch.landmarks.float(), weights.new_ones(68))
        total = total + self.landmark * scale * pixels
        angle = rotation_error(views.T_cam_model[..., :3, :3], truth.T_cam_model[..., :3, :3])
        return (total + self.rotation * angle).mean(1)


def mean_distance(
    predicted: Float[Tensor, "B V N D"], true: Float[Tensor, "B V N D"], weights: Float[Tensor, " N"]
) -> Float[Tensor, "B V"]:
    """Average the distances of N points, weighed.

    Example:
        >>> true = torch.tensor([[[[3.0, 4.0], [0.0, 1.0]]]])  # two points, 5 and 1 px from the predicted ones
        >>> mean_distance(torch.zeros(1, 1, 2, 2), true, torch.ones(2))
        tensor([[3.]])
    """
    distance = ((predicted - true).square().sum(-1) + _SMALL**2).sqrt()
    return (distance * weights).sum(-1) / weights.sum()
