"""One reconstructed face, and the camera of the photograph that it is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.pose import rigid
from mgc_lightning.photographs.crop import (
    transform_points2d,
)
from mgc_lightning.rendering.lighting import shade
from mgc_lightning.structures import FaceMesh


@dataclass(frozen=True)
class PlacedFace:
    """Hold one reconstructed face and its place in its photograph; tensors have no batch axis.

    Attributes:
        image: (3, H, W) the photograph, RGB in [0, 1].
        crop: (3, S, S) the aligned crop that the network saw.
        coefficients: absolute.
        mesh: vertices in mm, model frame, with expression, pose not applied; albedo.
        landmarks3d: (68, 3) mm, model frame.
        landmarks_crop: (68, 2) px of the crop.
        landmarks: (68, 2) px of the photograph.
        K_crop: (3, 3) intrinsics of the crop.
        T_crop_model: (4, 4) pose in the crop's camera.
        K: (3, 3) intrinsics of the photograph's camera.
        T_cam_model: (4, 4) pose in the photograph's camera, which is the crop's, turned about its axis.
        crop_from_image: (2, 3) similarity, px to px.
        image_from_crop: (2, 3) its inverse.
        detected: (68, 2) px of the photograph, given or detected, that it was aligned by; None for five points or a
            box.
        detected_mesh: (468, 2) px of the photograph, of a detector that finds a mesh.
    """

    image: Float[Tensor, "3 H W"]
    crop: Float[Tensor, "3 S S"]
    coefficients: FaceCoefficients
    mesh: FaceMesh
    landmarks3d: Float[Tensor, "68 3"]
    landmarks_crop: Float[Tensor, "68 2"]
    landmarks: Float[Tensor, "68 2"]
    K_crop: Float[Tensor, "3 3"]
    T_crop_model: Float[Tensor, "4 4"]
    K: Float[Tensor, "3 3"]
    T_cam_model: Float[Tensor, "4 4"]
    crop_from_image: Float[Tensor, "2 3"]
    image_from_crop: Float[Tensor, "2 3"]
    detected: Float[Tensor, "68 2"] | None = None
    detected_mesh: Float[Tensor, "468 2"] | None = None

    @property
    def colors(self) -> Float[Tensor, "N 3"]:
        """Lit vertex colours in [0, 1]: albedo under the predicted light."""
        return (self.mesh.albedo * shade(self.mesh.normals, self.coefficients.light)).clamp(0, 1)


def camera_of_image(
    image_from_crop: Float[Tensor, "*batch 2 3"],
    K_crop: Float[Tensor, "3 3"],
    T_crop_model: Float[Tensor, "*batch 4 4"],
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 4 4"]]:
    """Carry the camera of a crop over to the picture that it was cut from.

    With `u_image = s Q u_crop + t`, Q a rotation of the plane, the pinhole equation gives
    `u_image = s f (Q x) / z + s Q c + t`: the crop's camera turned by Q about its axis, the focal length
    times s, the principal point mapped.

    Args:
        image_from_crop: (..., 2, 3) similarity.
        K_crop: (3, 3) with equal focal lengths and no skew.
        T_crop_model: (..., 4, 4).

    Returns:
        K (..., 3, 3) and T_cam_model (..., 4, 4) of the picture.

    Example:
        >>> from mgc_lightning.geometry.camera import intrinsics
        >>> enlarged = torch.tensor([[2.0, 0.0, 50.0], [0.0, 2.0, 30.0]])  # the crop is half the size of the photograph
        >>> K, T = camera_of_image(enlarged, intrinsics(224), torch.eye(4))
        >>> K[0, 0], K[:2, 2]
        (tensor(9400.), tensor([274., 254.]))
    """
    linear = image_from_crop[..., :2]
    scale = linear[..., 0].square().sum(-1).sqrt()
    centre = transform_points2d(image_from_crop, K_crop[:2, 2].expand(*linear.shape[:-2], 1, 2))[..., 0, :]
    K = K_crop.repeat(*linear.shape[:-2], 1, 1)
    K[..., 0, 0] = K_crop[0, 0] * scale
    K[..., 1, 1] = K_crop[1, 1] * scale
    K[..., :2, 2] = centre
    R = torch.eye(3, dtype=linear.dtype, device=linear.device).repeat(*linear.shape[:-2], 1, 1)
    R[..., :2, :2] = linear / scale[..., None, None]
    return K, rigid(R, R.new_zeros(*linear.shape[:-2], 3)) @ T_crop_model
