"""Head pose from landmarks: the perspective-n-point problem with a face model."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.landmark_fit import fit_landmarks2d
from mgc_lightning.geometry.camera import DEFAULT_FOCAL, intrinsics
from mgc_lightning.geometry.pose import pose_to_transform

_STIFF = 2.0
"""Prior in px^2 per squared standard deviation: the shape gives way a little, so that it does not turn the head."""


def head_pose(
    face_model: FaceModel,
    landmarks: Float[Tensor, "*batch 68 2"],
    image_size: int,
    focal: float = DEFAULT_FOCAL,
    weights: Float[Tensor, " 68"] | None = None,
) -> Float[Tensor, "*batch 4 4"]:
    """Find T_cam_model from the landmarks of aligned crops, by Levenberg-Marquardt.

    Args:
        face_model: its landmarks are laid on the given ones; identity and expression follow stiffly.
        landmarks: (..., 68, 2) px.
        image_size: side of the crop in px.
        focal: px at 224 px.
        weights: of the landmarks; all 1 if None.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform, project, transform_points
        >>> model = load_face_model()
        >>> truth = pose_to_transform(model.main_pose + torch.tensor([0.0, 0.3, 0.0, 0.0, 0.0, 0.0]))
        >>> seen = project(transform_points(truth, model.landmarks68(model.mean)), intrinsics(224))
        >>> round(yaw_degrees(head_pose(model, seen, image_size=224)).item(), 1)  # .3 radians
        17.2
    """
    points = landmarks.reshape(-1, 68, 2)
    K = intrinsics(image_size, focal).expand(len(points), 3, 3)
    fit = fit_landmarks2d(
        face_model, points, K, image_size, weights, prior_identity=_STIFF, prior_expression=_STIFF, iterations=12
    )
    return pose_to_transform(fit.pose).reshape(*landmarks.shape[:-2], 4, 4)


def yaw_degrees(T_cam_model: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch"]:
    """Give the yaw: the angle between the face's direction and the camera's axis, positive to the viewer's right.

    Example:
        >>> from mgc_lightning.geometry.pose import pose_to_transform
        >>> ahead = torch.tensor([0.0, 0.0, math.pi, 0.0, 0.0, 5000.0])
        >>> turned = torch.tensor([0.0, 0.5, math.pi, 0.0, 0.0, 5000.0])  # half a radian about the vertical axis
        >>> yaw_degrees(pose_to_transform(torch.stack([ahead, turned]))).round()
        tensor([ 0., 29.])
    """
    facing = T_cam_model[..., :3, 2]
    return torch.atan2(facing[..., 0], -facing[..., 2]) * (180 / math.pi)
