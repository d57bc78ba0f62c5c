"""Poses of aligned crops: head rotations are drawn, translations follow from the alignment of the five points."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import rigid
from mgc_lightning.photographs.crop import CROP_SIZE, fit_similarity_2d, template, transform_points2d
from mgc_lightning.synthetic.settings import SyntheticSettings

_SOURCE_LIMIT = 88.0


def draw_yaws(rng: np.random.Generator, settings: SyntheticSettings, views: int, linked: bool) -> np.ndarray:
    """Draw the yaws of a sample's views in degrees: (V,).

    Linked: the target, then sources by turns at a smaller and a larger yaw, each a step further than the last on
    its side; no source goes beyond 88 degrees, so near the profile the outer source comes closer.

    Example:
        >>> yaws = draw_yaws(np.random.default_rng(0), SyntheticSettings(), views=3, linked=True)
        >>> bool(yaws.min() < yaws[0] < yaws.max())  # the sources lie on both sides of the target
        True
    """
    if not linked:
        return np.array([_draw_yaw(rng, settings) for _ in range(views)])
    yaws = [_draw_yaw(rng, settings)]
    reach = {-1: yaws[0], 1: yaws[0]}
    for view in range(1, views):
        side = -1 if view % 2 else 1
        reach[side] = float(
            np.clip(reach[side] + side * rng.uniform(*settings.yaw_step), -_SOURCE_LIMIT, _SOURCE_LIMIT)
        )
        yaws.append(reach[side])
    return np.array(yaws)


def _draw_yaw(rng: np.random.Generator, settings: SyntheticSettings) -> float:
    limit = settings.yaw_limit
    if rng.random() < settings.yaw_frontal:
        return float(np.clip(rng.normal(0, 20), -limit, limit))
    return float(rng.uniform(-limit, limit))


def draw_pitches(rng: np.random.Generator, settings: SyntheticSettings, views: int, linked: bool) -> np.ndarray:
    """Draw the pitches in degrees: (V,); linked views differ by a few degrees only."""
    sigma, limit = settings.pitch_sigma, 3 * settings.pitch_sigma
    if linked:
        return np.clip(rng.normal(0, sigma) + rng.normal(0, 0.3 * sigma, views), -limit, limit)
    return np.clip(rng.normal(0, sigma, views), -limit, limit)


def draw_misalignments(rng: np.random.Generator, settings: SyntheticSettings, views: int) -> np.ndarray:
    """Draw how far crops are off the template: (V, 4) log scale, angle in radians, shift u, v in crop widths."""
    sigmas = np.array([0.03, np.radians(1.5), 1.5 / CROP_SIZE, 1.5 / CROP_SIZE])
    return rng.normal(0, 1, (views, 4)).clip(-2.5, 2.5) * sigmas * settings.alignment_jitter


def misaligned_template(misalignment: Float[Tensor, "B 4"], image_size: int) -> Float[Tensor, "B 5 2"]:
    """Move the template by similarities about the centre of the crop: (B, 5, 2) px.

    Example:
        >>> shifted = misaligned_template(torch.tensor([[0.0, 0.0, 0.01, 0.0]]), image_size=224)
        >>> (shifted[0] - template(224)).mean(0).round(decimals=2)  # a hundredth of the crop's width
        tensor([2.2400, 0.0000])
    """
    log_scale, angle, *_ = misalignment.unbind(-1)
    scale = log_scale.exp()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    linear = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    centre = image_size / 2
    shift = centre + misalignment[:, 2:] * image_size - centre * linear.sum(-1)
    matrix = torch.cat([linear, shift[..., None]], dim=-1)
    points = template(image_size, misalignment.device).to(misalignment.dtype)
    return transform_points2d(matrix, points.expand(len(misalignment), -1, -1))


def head_rotation(yaw: Float[Tensor, " B"], pitch: Float[Tensor, " B"]) -> Float[Tensor, "B 3 3"]:
    """Turn the head in front of an upright camera: R = Rx(pi + pitch) Ry(yaw), angles in degrees.

    Positive yaw shows the side of the face at the viewer's left (the person turns to the viewer's right).

    Example:
        >>> R = head_rotation(torch.tensor([90.0]), torch.tensor([0.0]))
        >>> nose = torch.tensor([0.0, 0.0, 1.0])
        >>> round((R[0] @ nose)[0].item(), 4)  # along the camera's x, to the viewer's right
        1.0
    """
    pitch, yaw = torch.deg2rad(pitch) + torch.pi, torch.deg2rad(yaw)
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    cx, sx, cy, sy = pitch.cos(), pitch.sin(), yaw.cos(), yaw.sin()
    Rx = torch.stack([one, zero, zero, zero, cx, -sx, zero, sx, cx], -1).unflatten(-1, (3, 3))
    Ry = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1).unflatten(-1, (3, 3))
    return Rx @ Ry


def aligned_pose(
    rotation: Float[Tensor, "B 3 3"],
    points5: Float[Tensor, "B 5 3"],
    target: Float[Tensor, "B 5 2"],
    K: Float[Tensor, "B 3 3"] | Float[Tensor, "3 3"],
    distance: float | Float[Tensor, "B 3"],
    iterations: int = 5,
) -> Float[Tensor, "B 4 4"]:
    """Find the pose in which the five points need no alignment any more.

    A photograph is cropped by a similarity of the image (MGCNet sec. 5.2). Here the camera is moved instead, so
    that the rendered crop has the fixed K and an exact pose: the similarity's angle turns the head about the
    optical axis, its scale divides the distance, its shift moves the head sideways. Perspective makes this a
    fixed-point iteration; at focal lengths of faces it converges to a hundredth of a pixel in a few rounds.

    Args:
        rotation: (B, 3, 3) head to camera, before alignment.
        points5: (B, 5, 3) mm, model frame: eye centres, nose base, mouth corners.
        target: (B, 5, 2) px where a similarity fit should put them.
        K: (3, 3) or (B, 3, 3) intrinsics in px.
        distance: camera z in mm to start from, or (B, 3) places.
        iterations: rounds of the fixed point.

    Returns:
        T_cam_model (B, 4, 4).

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry import intrinsics, project, transform_points
        >>> from mgc_lightning.photographs import five_points, template
        >>> model, K = load_face_model(), intrinsics(224)
        >>> points = five_points(model.landmarks68(model.mean))[None]
        >>> R = head_rotation(torch.tensor([0.0]), torch.tensor([0.0]))
        >>> T_cam_model = aligned_pose(R, points, template(224)[None], K, distance=5000.0)
        >>> middle = project(transform_points(T_cam_model, points), K)[0].mean(0)
        >>> bool((middle - template(224).mean(0)).abs().max() < 0.1)  # px
        True
    """
    R = rotation
    if isinstance(distance, Tensor):
        t = distance
    else:
        t = torch.zeros_like(points5[:, 0])
        t[:, 2] = distance
    for _ in range(iterations):
        points = points5 @ R.mT + t[:, None]
        pixels = project(points, K)
        fit = fit_similarity_2d(pixels, target)
        linear = fit[..., :2]
        scale = linear[..., 0].square().sum(-1).sqrt()
        turn = torch.zeros_like(R)
        turn[:, :2, :2] = linear / scale[:, None, None]
        turn[:, 2, 2] = 1
        R = turn @ R
        centre = points.mean(1)
        moved = (turn @ centre[..., None]).squeeze(-1)
        # The points' centre is sent to where the fit sends its pixel, at the distance that the scale asks for.
        z = centre[:, 2] / scale
        pixel = transform_points2d(fit, project(centre[:, None], K)).squeeze(1)
        xy = (pixel - K[..., :2, 2]) / K.diagonal(dim1=-2, dim2=-1)[..., :2] * z[:, None]
        t = turn.matmul(t[..., None]).squeeze(-1) - moved + torch.cat([xy, z[:, None]], -1)
    return rigid(_orthonormal(R), t)


def _orthonormal(R: Tensor) -> Tensor:
    """Remove the rounding of repeated products by one Gram-Schmidt pass."""
    x = torch.nn.functional.normalize(R[..., 0, :], dim=-1)
    y = torch.nn.functional.normalize(R[..., 1, :] - (x * R[..., 1, :]).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-2)
