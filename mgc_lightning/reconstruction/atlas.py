"""Room for the texture of every triangle: an atlas of a patch for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

CELL = 16
"""Side in px of a cell of the atlas; shrunk where the atlas would be larger than `LARGEST`."""


LARGEST = 4096


GUTTER = 1.5
"""px between the triangles of a cell and its edge, filled with the triangles' own colours."""


@dataclass(frozen=True)
class Atlas:
    """Hold the layout of an atlas of F triangles.

    Attributes:
        uv: (F, 3, 2) px of the corners of each triangle, first pixel's centre at (.5, .5).
        triangle: (S, S) index of the triangle of each texel.
        bary: (S, S, 3) where in it.
    """

    uv: Float[Tensor, "F 3 2"]
    triangle: Int[Tensor, "S S"]
    bary: Float[Tensor, "S S 3"]

    @property
    def size(self) -> int:
        """Side S in px."""
        return self.triangle.shape[0]


def make_atlas(count: int, cell: int = CELL) -> Atlas:
    """Lay out an atlas: triangle 2 i in the upper left half of cell i, triangle 2 i + 1 in the lower right.

    Args:
        count: F.
        cell: side of a cell in px.

    Example:
        >>> atlas = make_atlas(count=6, cell=8)  # two triangles a cell
        >>> atlas.size, atlas.uv.shape, atlas.triangle[0, 0].item(), atlas.triangle[7, 7].item()
        (16, torch.Size([6, 3, 2]), 0, 1)
    """
    across = max(1, math.ceil(math.sqrt(math.ceil(count / 2))))
    # A triangle needs a pixel between its gutters.
    cell = max(math.ceil(4 * GUTTER) + 1, min(cell, LARGEST // across))
    leg = cell - 4 * GUTTER
    upper = torch.tensor([[GUTTER, GUTTER], [GUTTER + leg, GUTTER], [GUTTER, GUTTER + leg]])
    corners = torch.stack([upper, cell - upper])
    index = torch.arange(count)
    origin = torch.stack([index // 2 % across, index // 2 // across], dim=1) * cell
    uv = corners[index % 2] + origin[:, None]
    # The same pattern of weights in every cell; outside its triangle a texel takes the nearest weights, roughly.
    v, u = torch.meshgrid(torch.arange(cell) + 0.5, torch.arange(cell) + 0.5, indexing="ij")
    lower = u + v > cell
    p, q = torch.where(lower, cell - u, u), torch.where(lower, cell - v, v)
    weights = torch.stack([leg - (p - GUTTER) - (q - GUTTER), p - GUTTER, q - GUTTER], dim=-1).clamp(min=0)
    weights = weights / weights.sum(-1, keepdim=True)
    cells = torch.arange(across * across).reshape(across, across).repeat_interleave(cell, 0).repeat_interleave(cell, 1)
    triangle = (2 * cells + lower.repeat(across, across)).clamp(max=count - 1)
    return Atlas(uv, triangle, weights.repeat(across, across, 1))
