"""Backgrounds with the statistics of photographs: dead leaves, things of all sizes that hide each other."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor, nn

from mgc_lightning.synthetic.palette import any_colour

TILES, SIDE = 32, 160
NUMBERS = 12
_THINGS = 450


def draw_leaves(rng: np.random.Generator) -> np.ndarray:
    """Draw which part of which tile is seen, and how: (NUMBERS,).

    Tile, centre u, v, angle, log scale, mirror, contrast, brightness, gains R, G, B, and blur (0 sharp, 1 no detail).

    Example:
        >>> numbers = draw_leaves(np.random.default_rng(0))
        >>> numbers.shape == (NUMBERS,), bool(0 <= numbers[0] < TILES)  # the first is the tile
        (True, True)
    """
    blur = rng.beta(1.2, 1.0) if rng.random() < 0.75 else 0.0
    values = [rng.integers(TILES), *rng.uniform(-1, 1, 2), rng.normal(0, 0.4), rng.uniform(-2.2, -0.4),
              rng.choice([-1.0, 1.0]), rng.uniform(0.2, 1.0), rng.uniform(-0.3, 0.25), *(1 + rng.normal(0, 0.1, 3)),
              blur]  # fmt: skip
    return np.array(values, dtype=np.float32)


class Leaves(nn.Module):
    """Keep tiles of dead leaves (Lee, Mumford and Huang 2001) and cut backgrounds out of them.

    Shapes with sizes of density r^-3 hide each other: edges, flat parts and textures at every scale, as in
    photographs.
    """

    tiles: Float[Tensor, "T 3 S S"]

    def __init__(self) -> None:
        super().__init__()
        tiles = torch.from_numpy(_tiles()).permute(0, 3, 1, 2).float() / 255
        self.register_buffer("tiles", tiles, persistent=False)
        coarse = F.interpolate(self.tiles, size=SIDE // 16, mode="area")
        self.register_buffer("coarse", F.interpolate(coarse, size=SIDE, mode="bicubic").clamp(0, 1), persistent=False)
        middle = F.interpolate(self.tiles, size=SIDE // 5, mode="area")
        self.register_buffer("middle", F.interpolate(middle, size=SIDE, mode="bicubic").clamp(0, 1), persistent=False)

    def forward(self, numbers: Float[Tensor, "B 12"], size: int) -> Float[Tensor, "B 3 H W"]:
        """Cut backgrounds of `draw_leaves`' numbers."""
        tile, u, v, angle, log_scale, mirror, contrast, brightness = numbers[:, :8].unbind(-1)
        scale = log_scale.exp()
        c, s = scale * angle.cos(), scale * angle.sin()
        rows = torch.stack([c * mirror, -s, u, s * mirror, c, v], -1).unflatten(-1, (2, 3))
        grid = F.affine_grid(rows, [len(numbers), 3, size, size], align_corners=False)
        index = tile.long()
        blur = numbers[:, 11, None, None, None]
        fine, middle, coarse = (getattr(self, name)[index] for name in ("tiles", "middle", "coarse"))
        mixed = torch.lerp(torch.lerp(fine, middle, (2 * blur).clamp(0, 1)), coarse, (2 * blur - 1).clamp(0, 1))
        images = F.grid_sample(mixed, grid, padding_mode="reflection", align_corners=False)
        images = (images - 0.5) * contrast[:, None, None, None] + 0.5 + brightness[:, None, None, None]
        return (images * numbers[:, 8:11, None, None]).clamp(0, 1)


@cache
def _tiles() -> np.ndarray:
    """Paint all tiles, once a process: it takes longer than all else of a generator."""
    rng = np.random.default_rng(20201)
    return np.stack([_tile(rng) for _ in range(TILES)])


def _tile(rng: np.random.Generator) -> np.ndarray:
    """Paint one tile, the largest things first, each with a gradient of its own by a second, lighter pass."""
    palette = [any_colour(rng) for _ in range(rng.integers(3, 9))]
    image = Image.new("RGB", (SIDE, SIDE), _rgb(palette[0]))
    draw = ImageDraw.Draw(image)
    # Sizes of density r^-3 between 2 px and the half of the tile, by inversion.
    low, high = 2.0, SIDE / 2
    radii = 1 / np.sqrt(rng.uniform(1 / high**2, 1 / low**2, _THINGS))
    order = rng.permutation(_THINGS)
    radii[: _THINGS // 2] = np.sort(radii[: _THINGS // 2])[::-1]
    for radius in radii if rng.random() < 0.5 else radii[order]:
        colour = np.clip(palette[rng.integers(len(palette))] + rng.normal(0, 0.08, 3), 0, 1)
        u, v = rng.uniform(-0.1, 1.1, 2) * SIDE
        kind, aspect, angle = rng.integers(3), np.exp(rng.normal(0, 0.5)), rng.choice([0.0, rng.uniform(0, math.pi)])
        corners = {0: 16, 1: 4, 2: int(rng.integers(3, 7))}[int(kind)]
        for shade, share in ((0.0, 1.0), (rng.normal(0, 0.06), 0.6)):
            draw.polygon(
                _polygon(u, v, radius * share, aspect, angle, corners), fill=_rgb(np.clip(colour + shade, 0, 1))
            )
    return np.asarray(image)


def _polygon(u: float, v: float, radius: float, aspect: float, angle: float, corners: int) -> list[tuple[float, float]]:
    turn = 2 * math.pi * np.arange(corners) / corners + (math.pi / 4 if corners == 4 else 0)
    x, y = radius * aspect * np.cos(turn), radius / aspect * np.sin(turn)
    c, s = math.cos(angle), math.sin(angle)
    return list(zip((u + c * x - s * y).tolist(), (v + s * x + c * y).tolist(), strict=True))


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (round(255 * float(part)) for part in colour)
    return r, g, b
