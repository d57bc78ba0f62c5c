"""A texture for a face: the photograph where it shows the surface, the predicted colours elsewhere.

Every triangle has a patch of its own in the atlas, two to a square cell, so that any topology, open mouths and the
back of a head included, has texture coordinates without overlap or distortion along seams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.pictures.drawing import Picture, to_picture
from mgc_lightning.reconstruction.maps import GeometryMaps, geometry_maps
from mgc_lightning.reconstruction.reconstructor import Reconstruction
from mgc_lightning.rendering.renderer import FaceRenderer

CELL = 16
"""Side in px of a cell of the atlas; shrunk where the atlas would be larger than `LARGEST`."""
LARGEST = 4096
GUTTER = 1.5
"""px between the triangles of a cell and its edge, filled with the triangles' own colours."""
FACING = (0.05, 0.3)
"""Cosine between normal and line of sight from which the photograph counts, and from which it counts alone."""
BEHIND = (1.0, 4.0)
"""mm behind the visible surface up to which the photograph counts alone, and from which not at all."""
GAIN_LIMITS = (0.5, 2.0)


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
    """
    across = max(1, math.ceil(math.sqrt(math.ceil(count / 2))))
    cell = max(6, min(cell, LARGEST // across))
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


@torch.no_grad()
def bake_texture(
    face: Reconstruction, faces: Int[Tensor, "F 3"], atlas: Atlas, renderer: FaceRenderer
) -> tuple[Picture, Float[Tensor, "S S"]]:
    """Colour every texel by the photograph, faded into the predicted lit colours where it does not show the surface.

    Predicted colours are scaled, a channel at a time, to the photograph's over what both show.

    Args:
        face: one face.
        faces: (F, 3) the triangles of the atlas.
        atlas: for as many triangles.
        renderer: finds what is visible.

    Returns:
        the texture (S, S, 3), and how much of each texel is the photograph's, in [0, 1].
    """
    corners = faces[atlas.triangle.to(faces.device)]
    weights = atlas.bary.to(face.mesh.verts)

    def at_texels(values: Tensor) -> Tensor:
        return torch.stack([values[corners[..., i]] * weights[..., i, None] for i in range(3)]).sum(0)

    points = transform_points(face.T_cam_model, at_texels(face.mesh.verts).flatten(0, 1))
    normals = F.normalize(at_texels(face.mesh.normals), dim=-1).flatten(0, 1) @ face.T_cam_model[:3, :3].T
    share = _visibility(points, normals, face, geometry_maps(face, renderer, face.mesh.faces))
    seen = _sample(face.image.to(points), project(points, face.K)).T
    predicted = at_texels(face.colors).flatten(0, 1)
    predicted = (predicted * _gain(seen, predicted, share)).clamp(0, 1)
    colours = torch.lerp(predicted, seen, share[:, None]).unflatten(0, atlas.triangle.shape)
    return to_picture(colours.cpu().numpy()), share.unflatten(0, atlas.triangle.shape).cpu()


def _visibility(points: Tensor, normals: Tensor, face: Reconstruction, maps: GeometryMaps) -> Float[Tensor, " P"]:
    depth = _sample(maps.depth[None].to(points), project(points, face.K), "nearest")[0]
    facing = -(normals * F.normalize(points, dim=-1)).sum(-1)
    # Within one pixel of the depth a slanted surface falls by this much (a shadow map's slope-scaled bias).
    cosine = facing.clamp(FACING[0], 1.0)
    fall = points[:, 2] / face.K[0, 0] * (1 - cosine.square()).sqrt() / cosine
    behind = points[:, 2] - depth - fall
    share = _ramp(facing, *FACING) * (1 - _ramp(behind, *BEHIND))
    return torch.where(depth > 0, share, torch.zeros_like(share))


def _ramp(values: Tensor, low: float, high: float) -> Tensor:
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _sample(
    image: Float[Tensor, "C H W"], uv: Float[Tensor, "P 2"], mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Float[Tensor, "C P"]:
    size = uv.new_tensor([image.shape[2], image.shape[1]])
    grid = (2 * uv / size - 1)[None, None]
    return F.grid_sample(image[None], grid, mode=mode, padding_mode="zeros", align_corners=False)[0, :, 0]


def _gain(seen: Tensor, predicted: Tensor, share: Tensor) -> Tensor:
    weight = share[:, None]
    ratio = (seen * weight).sum(0) / (predicted * weight).sum(0).clamp(min=1e-6)
    return ratio.clamp(*GAIN_LIMITS) if float(share.sum()) > 1 else torch.ones_like(ratio)
