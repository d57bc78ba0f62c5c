"""Procedural backgrounds: gradients, octaves of noise, stripes, blobs, shapes, and what surrounds a head."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.synthetic.palette import any_colour, hair_colour
from mgc_lightning.synthetic.shapes import FACE, Shape, pack_shapes, paint, place_shapes

OCTAVES = (3, 6, 12)
"""Sides of the grids of value noise."""
SHAPES = 7
"""Most shapes of a background."""
RESOLUTION = 0.5
"""Backgrounds are painted at this share of the image size and enlarged: they are out of focus."""
_RAMP = 11
GRIDS = 3 * sum(side * side for side in OCTAVES)


def draw_background(rng: np.random.Generator, hair: bool = True) -> dict[str, np.ndarray]:
    """Draw the numbers of one background: `ramp`, `grids` (value noise) and `shapes`, flat hair among them or not."""
    first, second = any_colour(rng), any_colour(rng)
    if rng.random() < 0.5:
        second = np.clip(first + rng.normal(0, 0.1, 3), 0, 1)
    noise = rng.choice([0.0, 0.15, 0.45], p=[0.25, 0.4, 0.35]) * rng.uniform(0.5, 1.2)
    stripes = rng.uniform(0.05, 0.35) if rng.random() < 0.25 else 0.0
    angle, frequency, phase = rng.uniform(0, 2 * math.pi), rng.uniform(2, 14), rng.uniform(0, 2 * math.pi)
    ramp = np.array([*first, *second, angle, noise, stripes, frequency, phase])
    # One grid of grey noise and a little of colour: surfaces rarely change their hue as much as their brightness.
    grey = rng.normal(0, 1, GRIDS // 3)
    grids = np.stack([grey, grey, grey]) + rng.normal(0, 0.35, (3, GRIDS // 3))
    shapes = [_draw_shape(rng) for _ in range(rng.integers(0, 5))]
    shapes += [*(_draw_flat_hair(rng) if hair else []), *_draw_shoulders(rng)]
    return {
        "ramp": ramp.astype(np.float32),
        "grids": grids.ravel().astype(np.float32),
        "shapes": pack_shapes(shapes, SHAPES),
    }


def _draw_shape(rng: np.random.Generator) -> Shape:
    return Shape(
        u=rng.random(),
        v=rng.random(),
        a=math.exp(rng.uniform(math.log(0.04), math.log(0.5))),
        b=math.exp(rng.uniform(math.log(0.04), math.log(0.5))),
        colour=any_colour(rng),
        angle=rng.uniform(0, math.pi),
        squareness=rng.choice([0.0, 0.9]),
        softness=rng.choice([0.01, 0.05, 0.4]),
        alpha=rng.uniform(0.3, 1.0),
    )


def _draw_flat_hair(rng: np.random.Generator) -> list[Shape]:
    """Draw hair or a hood behind the head."""
    if rng.random() >= 0.6:
        return []
    length = rng.choice([0.0, 0.35, 0.9], p=[0.4, 0.3, 0.3])
    volume = rng.uniform(0.95, 1.25)
    return [
        Shape(
            u=rng.normal(0, 0.03), v=-0.25 + length / 2, a=0.66 * volume, b=(0.95 + length / 2) * volume,
            colour=hair_colour(rng), squareness=rng.uniform(0, 0.4), softness=0.04, frame=FACE,
        )
    ]  # fmt: skip


def _draw_shoulders(rng: np.random.Generator) -> list[Shape]:
    if rng.random() >= 0.7:
        return []
    return [
        Shape(
            u=rng.normal(0, 0.1), v=2.0, a=rng.uniform(1.5, 2.4), b=rng.uniform(0.7, 1.1),
            colour=any_colour(rng), angle=rng.normal(0, 0.08), squareness=rng.uniform(0.1, 0.5), softness=0.02,
            frame=FACE,
        )
    ]  # fmt: skip


def render_background(
    ramp: Float[Tensor, "B 11"],
    grids: Float[Tensor, "B G"],
    shapes: Float[Tensor, "B S 13"],
    anchors: Float[Tensor, "B A 4"],
    size: int,
    scenery: Float[Tensor, "B 3 h w"] | None = None,
    natural: Float[Tensor, " B"] | None = None,
) -> Float[Tensor, "B 3 H W"]:
    """Paint backgrounds on the device of their numbers: (B, 3, size, size) in [0, 1].

    Args:
        ramp: (B, 11) as `draw_background` gives it.
        grids: (B, G) likewise.
        shapes: (B, S, 13) likewise.
        anchors: frames of the shapes.
        size: side in px.
        scenery: pictures of `background_side(size)` px that stand in place of ramp and noise where `natural` is 1.
        natural: (B,) 0 or 1.
    """
    side = background_side(size)
    axis = (torch.arange(side, device=ramp.device, dtype=ramp.dtype) + 0.5) / side - 0.5
    angle, noise, stripes, frequency, phase = (ramp[:, place, None, None] for place in range(6, _RAMP))
    along = angle.cos() * axis + angle.sin() * axis[:, None]
    weight = (along + 0.5).clamp(0, 1)[:, None]
    canvas = torch.lerp(ramp[:, 0:3, None, None], ramp[:, 3:6, None, None], weight)
    wave = torch.sin(2 * math.pi * frequency * along + phase).mul(4).clamp(-1, 1)
    canvas = canvas + (stripes * wave)[:, None] + noise[:, None] * value_noise(grids, side)
    if scenery is not None and natural is not None:
        canvas = torch.where(natural[:, None, None, None] > 0, scenery, canvas)
    canvas, _ = paint(canvas, place_shapes(shapes, anchors))
    canvas = canvas.clamp(0, 1)
    if side < size:
        canvas = F.interpolate(canvas, size=(size, size), mode="bilinear", align_corners=False)
    return canvas


def background_side(size: int) -> int:
    """Give the side in px at which backgrounds of pictures of `size` px are painted.

    Example:
        >>> background_side(224)
        112
    """
    return max(1, round(size * RESOLUTION))


def value_noise(grids: Float[Tensor, "B G"], size: int) -> Float[Tensor, "B 3 H W"]:
    """Sum octaves of interpolated random grids, each half as strong as the last.

    Example:
        >>> noise = value_noise(torch.rand(2, GRIDS, generator=torch.Generator().manual_seed(0)), size=16)
        >>> noise.shape
        torch.Size([2, 3, 16, 16])
    """
    total: Tensor | float = 0.0
    start = 0
    grids = grids.unflatten(1, (3, -1))
    for octave, side in enumerate(OCTAVES):
        grid = grids[:, :, start : start + side * side].unflatten(2, (side, side))
        start += side * side
        total = total + F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False) * 0.5 ** (
            octave + 1
        )
    return total  # type: ignore[return-value]
