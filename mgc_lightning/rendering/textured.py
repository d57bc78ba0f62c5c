"""Textures on visible surfaces: one look-up a pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.rendering.renderer import render_attributes
from mgc_lightning.structures import Fragments

DENSE = 1.5
"""Texels a pixel beyond which a texture is shrunk before it is read."""


def sample_texture(
    fragments: Fragments, uv: Float[Tensor, "N 2"], texture: Float[Tensor, "3 H W"]
) -> Float[Tensor, "B 3 H2 W2"]:
    """Read a texture at every visible pixel, bilinear.

    A texture that is much finer than the picture is shrunk first to about a texel a pixel, since bilinear reading would
    skip the others; one factor serves the whole picture.

    Args:
        fragments: of B views.
        uv: (N, 2) places of the vertices that `fragments.faces` indexes, right and down, in [0, 1].
        texture: (3, H, W).

    Returns:
        (B, 3, H2, W2), 0 in the background.

    Example:
        >>> from mgc_lightning import FaceRenderer
        >>> from mgc_lightning.geometry import intrinsics
        >>> square = torch.tensor([[-99.0, -99, 5000], [99, -99, 5000], [99, 99, 5000], [-99, 99, 5000]])
        >>> faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
        >>> fragments = FaceRenderer().rasterize(square[None], faces, intrinsics(8), image_size=8)
        >>> uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
        >>> black_to_white = torch.linspace(0, 1, 8).expand(3, 8, 8)
        >>> sample_texture(fragments, uv, black_to_white)[0, 0, 4].round(decimals=1)
        tensor([0.0000, 0.1000, 0.2000, 0.4000, 0.6000, 0.8000, 0.9000, 0.0000])
    """
    places = render_attributes(fragments, uv[None].expand(len(fragments.pix_to_face), -1, -1))
    mask = fragments.mask[:, None]
    density = _texels_per_pixel(places, mask[:, 0], texture.shape[-2:])
    if density > DENSE:
        size = [max(1, round(side / density)) for side in texture.shape[-2:]]
        texture = F.interpolate(texture[None], size=size, mode="bilinear", antialias=True)[0]
    grid = places.permute(0, 2, 3, 1) * 2 - 1
    colors = F.grid_sample(
        texture[None].expand(len(grid), -1, -1, -1).to(grid), grid, padding_mode="border", align_corners=False
    )
    return colors * mask


def _texels_per_pixel(places: Tensor, mask: Tensor, size: torch.Size) -> float:
    """Give the median distance in texels of neighbours on one row; jumps across seams do not move a median."""
    inside = mask[..., 1:] & mask[..., :-1]
    step = (places[..., 1:] - places[..., :-1]) * places.new_tensor([size[1], size[0]])[:, None, None]
    lengths = step.norm(dim=1)[inside]
    return float(lengths.median()) if len(lengths) else 0.0
