"""Where the camera stands, and how its picture is cut: near and far, off the axis, by points or by a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgc_lightning.geometry.camera import project
from mgc_lightning.photographs.box import similarity_from_boxes
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.synthetic.poses import misaligned_template
from mgc_lightning.synthetic.settings import SyntheticSettings

NUMBERS = 17
"""Of a viewpoint: see `draw_viewpoints`."""
_OFF_AXIS_LIMIT = 25.0
_POINT_BIAS = 0.012
"""Deviation of a detector's five points from the model's, in crop widths: about 4 % of the distance of the eyes."""


def draw_viewpoints(rng: np.random.Generator, settings: SyntheticSettings, views: int, linked: bool) -> np.ndarray:
    """Draw the numbers of the views' cameras and crops.

    (V, NUMBERS): distance in mm (0 for the nominal one), angles in radians between the optical axis and the face,
    right and down, whether a box cuts the crop, roll in degrees, the box's log scale and shift u, v in crop widths,
    and the bias of the five points u, v in crop widths. Linked views have one distance, give or take a twentieth, and
    one detector.

    Example:
        >>> numbers = draw_viewpoints(np.random.default_rng(0), SyntheticSettings(), views=3, linked=True)
        >>> numbers.shape == (3, NUMBERS), numbers[:, 0].tolist()  # the nominal distance
        (True, [0.0, 0.0, 0.0])
    """
    numbers = np.zeros((views, NUMBERS))
    if settings.camera_distance is not None:
        low, high = np.log(settings.camera_distance)
        own = rng.uniform(low, high, views)
        numbers[:, 0] = np.exp(own[0] + rng.normal(0, 0.05, views) if linked else own).clip(math.exp(low) * 0.9)
    angles = rng.normal(0, settings.off_axis, (views, 2)).clip(-_OFF_AXIS_LIMIT, _OFF_AXIS_LIMIT)
    numbers[:, 1:3] = np.radians(angles)
    numbers[:, 3] = rng.random(1 if linked else views) < settings.boxes
    numbers[:, 4] = rng.normal(0, settings.roll, views).clip(-3 * settings.roll, 3 * settings.roll)
    strength = settings.alignment_jitter
    numbers[:, 5] = rng.normal(0, 0.08, views) * strength
    numbers[:, 6:8] = rng.normal(0, 0.025, (views, 2)) * strength
    bias = rng.normal(0, 1, (1 if linked else views, 10)) * _POINT_BIAS
    numbers[:, 7:] = bias * strength * settings.point_bias
    return numbers.astype(np.float32)


@dataclass
class Viewpoint:
    """Hold the cameras of n views.

    Attributes:
        K: (n, 3, 3) px; its principal point is off the picture's centre where the face is off the axis.
        place: (n, 3) mm, about where the head is.
        roll: (n,) degrees in the photograph; an alignment by points removes it, one by a box does not.
        boxed: (n,) whether a box cuts the crop.
        box: (n, 3) log scale and shift u, v in crop widths of the boxes' errors.
        bias: (n, 5, 2) px, of a detector's points.
    """

    K: Float[Tensor, "n 3 3"]
    place: Float[Tensor, "n 3"]
    roll: Float[Tensor, " n"]
    boxed: Bool[Tensor, " n"]
    box: Float[Tensor, "n 3"]
    bias: Float[Tensor, "n 5 2"]

    @classmethod
    def of(cls, numbers: Float[Tensor, "n 17"], K: Float[Tensor, "3 3"], distance: float, image_size: int) -> Viewpoint:
        """Make the cameras from `draw_viewpoints`' numbers.

        A nearer one has a shorter focal length, so that the face keeps its size in the crop.
        """
        near = torch.where(numbers[:, 0] > 0, numbers[:, 0], distance)
        focal = K[0, 0] * near / distance
        view = K.repeat(len(numbers), 1, 1)
        view[:, 0, 0] = view[:, 1, 1] = focal
        # A photograph's crop keeps the photograph's camera: its principal point is where the lens looked.
        slope = torch.tan(numbers[:, 1:3])
        view[:, :2, 2] -= focal[:, None] * slope
        return cls(
            K=view,
            place=torch.cat([slope, torch.ones_like(slope[:, :1])], 1) * near[:, None],
            roll=numbers[:, 4] * (numbers[:, 3] > 0),
            boxed=numbers[:, 3] > 0,
            box=numbers[:, 5:8],
            bias=numbers[:, 7:].unflatten(1, (5, 2)) * image_size,
        )


def roll_rotation(roll: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Turn pictures about the optical axis, degrees, clockwise as seen: (n, 3, 3).

    Example:
        >>> roll_rotation(torch.tensor([90.0]))[0].round().int().tolist()
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    """
    angle = torch.deg2rad(roll)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    c, s = angle.cos(), angle.sin()
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).unflatten(-1, (3, 3))


def crop_targets(
    view: Viewpoint,
    misalignment: Float[Tensor, "n 4"],
    rotation: Float[Tensor, "n 3 3"],
    points5: Float[Tensor, "n 5 3"],
    outline: Float[Tensor, "n M 3"],
    mean_box: Float[Tensor, " 4"],
    image_size: int,
) -> Float[Tensor, "n 5 2"]:
    """Find where the crop shows the five points: the template, or what a box around the face gives.

    Args:
        view: the cameras.
        misalignment: of alignments by points (`poses.draw_misalignments`).
        rotation: head to camera, roll included.
        points5: mm, model frame.
        outline: vertices that the box encloses, mm, model frame.
        mean_box: x0, y0, x1, y1 px of the mean face, on which boxes are laid (`photographs.box`).
        image_size: px.
    """
    by_points = misaligned_template(misalignment, image_size) + view.bias
    if not bool(view.boxed.any()):
        return by_points

    def pixels(points: Tensor) -> Tensor:
        return project(points @ rotation.mT + view.place[:, None], view.K)

    around = pixels(outline)
    matrix = similarity_from_boxes(torch.cat([around.amin(1), around.amax(1)], 1), mean_box)
    inside = transform_points2d(matrix, pixels(points5))
    centre = image_size / 2
    by_box = centre + view.box[:, None, :1].exp() * (inside - centre) + view.box[:, None, 1:] * image_size
    return torch.where(view.boxed[:, None, None], by_box, by_points)


def nominal_rotation(T_cam_model: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n 3 3"]:
    """Turn the camera towards the face: the rotation that a camera on the axis sees, as the network assumes it.

    A face off the axis shows more of the side that is turned to the lens; in a crop nothing else tells.

    Example:
        >>> T = torch.eye(4)[None]
        >>> T[0, 0, 3], T[0, 2, 3] = 1000.0, 1000.0  # 45 degrees off the axis
        >>> nominal_rotation(T)[0].round(decimals=2)[2]
        tensor([0.7100, 0.0000, 0.7100])
    """
    away = T_cam_model[:, :3, 3]
    axis = torch.nn.functional.normalize(away, dim=-1)
    forward = torch.zeros_like(axis)
    forward[:, 2] = 1
    v = torch.linalg.cross(axis, forward, dim=-1)
    c = axis[:, 2]
    zero = torch.zeros_like(c)
    skew = torch.stack([zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], -1)
    skew = skew.unflatten(-1, (3, 3))
    turn = torch.eye(3, device=c.device) + skew + skew @ skew / (1 + c)[:, None, None]
    return turn @ T_cam_model[:, :3, :3]
