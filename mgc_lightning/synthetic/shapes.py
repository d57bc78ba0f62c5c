"""Soft two-dimensional shapes, painted over images by their signed distance: backgrounds and occluders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError

IMAGE, LEFT_EYE, RIGHT_EYE, EYES, MOUTH, FACE = range(6)
"""Frames that shapes are placed in: the whole image, or a part of the face (see `anchors.face_anchors`)."""


@dataclass
class Shape:
    """Describe one shape.

    Attributes:
        u: centre, right, in widths of its frame; the frame's origin is its centre (the image's its upper left).
        v: centre, down.
        a: half-width.
        b: half-height.
        angle: turn in radians.
        squareness: 0 an ellipse, 1 a box.
        ring: half-thickness of a ring in image widths; 0 a filled shape.
        softness: width of the edge in image widths; at least a pixel is used.
        colour: RGB.
        alpha: opacity; 0 paints nothing.
        frame: one of the frames above.

    Example:
        >>> disc = Shape(u=0.5, v=0.5, a=0.25, b=0.25, colour=(1.0, 0.0, 0.0))
        >>> canvas, alpha = paint(torch.zeros(1, 3, 8, 8), torch.from_numpy(pack_shapes([disc], 1)).float()[None])
        >>> canvas[0, :, 4, 4], canvas[0, :, 0, 0]
        (tensor([1., 0., 0.]), tensor([0., 0., 0.]))
    """

    u: float
    v: float
    a: float
    b: float
    colour: tuple[float, float, float] | np.ndarray
    angle: float = 0.0
    squareness: float = 0.0
    ring: float = 0.0
    softness: float = 0.0
    alpha: float = 1.0
    frame: int = IMAGE

    def row(self) -> list[float]:
        """Give the numbers in the order that `paint` reads."""
        return [self.u, self.v, self.a, self.b, self.angle, self.squareness, self.ring, self.softness, *self.colour,
                self.alpha, self.frame]  # fmt: skip


ROW = 13
"""Numbers of a shape."""


def pack_shapes(shapes: list[Shape], count: int) -> np.ndarray:
    """Give (count, ROW) numbers; missing shapes are transparent.

    Raises:
        MGCError: if there are more shapes than `count`.
    """
    if len(shapes) > count:
        raise MGCError(f"Expected at most {count} shapes, got {len(shapes)}")
    rows = np.zeros((count, ROW), dtype=np.float32)
    rows[:, 2:4] = 1
    for place, shape in enumerate(shapes):
        rows[place] = shape.row()
    return rows


def place_shapes(shapes: Float[Tensor, "B S 13"], anchors: Float[Tensor, "B A 4"]) -> Float[Tensor, "B S 13"]:
    """Move shapes from their frames to the image.

    Args:
        shapes: (B, S, ROW).
        anchors: (B, A, 4) origin u, v and width, height of each frame, in image widths.
    """
    frame = shapes[..., 12].long()
    anchor = anchors.gather(1, frame[..., None].expand(-1, -1, 4))
    centre = anchor[..., :2] + shapes[..., :2] * anchor[..., 2:]
    return torch.cat(
        [centre, shapes[..., 2:4] * anchor[..., 2:], shapes[..., 4:12], torch.zeros_like(centre[..., :1])], -1
    )


def coverage(shapes: Float[Tensor, "*batch 13"], size: int) -> Float[Tensor, "*batch H W"]:
    """Give the opacity of every shape at every pixel centre.

    The distance is that of a norm between the ellipse's and the box's, so corners round off smoothly; it is exact
    for circles and close enough elsewhere for an edge of a few pixels.

    Example:
        >>> disc = Shape(u=0.5, v=0.5, a=0.25, b=0.25, colour=(1.0, 0.0, 0.0))
        >>> round(coverage(torch.tensor([disc.row()]), size=64).mean().item(), 2)  # pi / 16
        0.2
    """
    axis = (torch.arange(size, device=shapes.device, dtype=shapes.dtype) + 0.5) / size
    u, v, a, b, angle, squareness, ring, softness = (n[..., None, None] for n in shapes[..., :8].unbind(-1))
    alpha = shapes[..., 11, None, None]
    cosine, sine = angle.cos(), angle.sin()
    # Row and column parts are separable: (..., 1, W) and (..., H, 1) until the first sum.
    du, dv = axis - u, axis[:, None] - v
    x = ((cosine / a) * du + (sine / a) * dv).abs_()
    y = ((-sine / b) * du + (cosine / b) * dv).abs_()
    ellipse = torch.hypot(x, y)
    distance = torch.lerp(ellipse, torch.maximum(x, y), squareness).sub_(1).mul_(torch.minimum(a, b))
    distance = torch.where(ring > 0, distance.abs() - ring, distance)
    edge = softness.clamp(min=1.0 / size)
    return (0.5 - distance / edge).clamp_(0, 1).mul_(alpha)


def paint(
    canvas: Float[Tensor, "B 3 H W"], shapes: Float[Tensor, "B S 13"]
) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 1 H W"]]:
    """Paint shapes over a canvas, first to last.

    Args:
        canvas: (B, 3, H, W), square.
        shapes: (B, S, ROW) in the image frame (`place_shapes`).

    Returns:
        the painted canvas, and how much of it is covered, (B, 1, H, W).

    Example:
        >>> box = Shape(u=0.25, v=0.5, a=0.25, b=0.5, colour=(0.0, 1.0, 0.0), squareness=1.0)
        >>> painted, covered = paint(torch.zeros(1, 3, 4, 4), torch.tensor([[box.row()]]))
        >>> painted[0, 1, 1].round().tolist(), covered.shape
        ([1.0, 1.0, 0.0, 0.0], torch.Size([1, 1, 4, 4]))
    """
    canvas, clear = canvas.clone(), torch.ones_like(canvas[:, :1])
    # Most places are empty: only shapes that show are computed, layer by layer over the images that have one.
    for place, shown in enumerate((shapes[..., 11] > 0).unbind(1)):
        index = shown.nonzero().squeeze(1)
        if len(index) == 0:
            continue
        rows = shapes[index, place]
        layer = coverage(rows, canvas.shape[-1])[:, None]
        canvas[index] = torch.lerp(canvas[index], rows[:, 8:11, None, None], layer)
        clear[index] *= 1 - layer
    return canvas, 1 - clear


def turn(u: float, v: float, angle: float) -> tuple[float, float]:
    """Turn a plane vector."""
    c, s = math.cos(angle), math.sin(angle)
    return c * u - s * v, s * u + c * v
