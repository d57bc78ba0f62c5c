"""What reaches the surface: ambient occlusion of the mean head, and shadows that a lamp casts."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.rendering.rasterizers import get_rasterizer

_SPAN = 340.0
"""Side in mm of the square that a shadow map covers: a head with its hair."""
_FAR = 20_000.0
"""Distance in mm of the lamp: all but orthographic, since rasterizers know pinhole cameras only."""
_CENTRE = (0.0, 10.0, -20.0)


def light_frame(direction: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """Make a frame whose third row points from the lamp to the head: rows right, down, away.

    Example:
        >>> frame = light_frame(torch.tensor([[0.0, 0.0, 1.0]]))  # a lamp before the face
        >>> (frame[0, 2] + 0.0).tolist()  # shines backward
        [0.0, 0.0, -1.0]
    """
    away = -torch.nn.functional.normalize(direction, dim=-1)
    up = away.new_tensor([0.1, 1.0, 0.05]).expand_as(away)
    right = torch.nn.functional.normalize(torch.linalg.cross(up, away, dim=-1), dim=-1)
    return torch.stack([right, torch.linalg.cross(away, right, dim=-1), away], -2)


def to_light(points: Float[Tensor, "n M 3"], frame: Float[Tensor, "n 3 3"], size: int) -> Float[Tensor, "n M 3"]:
    """Give u, v in px of a shadow map and z in mm from the lamp."""
    seen = (points - points.new_tensor(_CENTRE)) @ frame.mT
    scale = size / _SPAN
    return torch.stack([seen[..., 0] * scale + size / 2, seen[..., 1] * scale + size / 2, seen[..., 2] + _FAR], -1)


def shadow_maps(
    verts: Float[Tensor, "n M 3"], faces: Int[Tensor, "F 3"], frame: Float[Tensor, "n 3 3"], size: int = 128
) -> Float[Tensor, "n 1 S S"]:
    """Give the depth from the lamp of the first surface, mm; very large where there is none."""
    _, zbuf = get_rasterizer("auto", verts.device)(to_light(verts, frame, size).contiguous(), faces, (size, size))
    return torch.where(zbuf > 0, zbuf, 2 * _FAR)[:, None]


def lit_share(
    maps: Float[Tensor, "n 1 S S"], where: Float[Tensor, "3 P"], view: Int[Tensor, " P"], bias: float = 4.0
) -> Float[Tensor, " P"]:
    """Look points up in shadow maps: the share of four neighbouring rays that reach each, blended as the eye expects.

    Args:
        maps: of `shadow_maps`.
        where: (3, P) u, v px and z mm, as `to_light` gives them.
        view: (P,) which map.
        bias: mm that a point may lie behind the map's surface.

    Example:
        >>> maps = torch.full((1, 1, 4, 4), 500.0)  # a wall 500 mm from the lamp
        >>> points = torch.tensor([[2.0, 2.0], [2.0, 2.0], [500.0, 600.0]])  # u, v, z of one on it, and one behind it
        >>> lit_share(maps, points, torch.zeros(2, dtype=torch.long))
        tensor([1., 0.])
    """
    size = maps.shape[-1]
    flat = maps.flatten()
    u, v, z = where[0] - 0.5, where[1] - 0.5, where[2] - bias
    u0, v0 = u.floor(), v.floor()
    fu, fv = u - u0, v - v0
    total = torch.zeros_like(u)
    for du, dv, weight in ((0, 0, (1 - fu) * (1 - fv)), (1, 0, fu * (1 - fv)), (0, 1, (1 - fu) * fv), (1, 1, fu * fv)):
        column, row = (u0 + du).clamp(0, size - 1).long(), (v0 + dv).clamp(0, size - 1).long()
        total += weight * ((flat[(view * size + row) * size + column] - z) / 3 + 0.5).clamp(0, 1)
    return total


def ambient_occlusion(
    verts: Float[Tensor, "N 3"], faces: Int[Tensor, "F 3"], directions: int = 96
) -> Float[Tensor, " N"]:
    """Give the cosine-weighted share of the sky that each vertex sees: 1 in the open, near 0 in nostrils.

    Args:
        verts: mm, model frame.
        faces: triangles.
        directions: of the sky, evenly spread (a Fibonacci sphere).
    """
    order = torch.arange(directions, dtype=torch.float32) + 0.5
    y = 1 - 2 * order / directions
    turn = order * math.pi * (3 - math.sqrt(5))
    radius = (1 - y.square()).sqrt()
    sky = torch.stack([radius * turn.cos(), y, radius * turn.sin()], -1).to(verts)
    normals = vertex_normals(verts, faces)
    seen, total = torch.zeros_like(verts[:, 0]), torch.zeros_like(verts[:, 0])
    for part in sky.split(16):
        frame, many = light_frame(part), verts.expand(len(part), -1, -1)
        maps = shadow_maps(many, faces, frame, 192)
        where = to_light(many, frame, 192)
        view = torch.arange(len(part), device=verts.device).repeat_interleave(len(verts))
        open_ = lit_share(maps, where.flatten(0, 1).T, view, bias=2.5).unflatten(0, (len(part), -1))
        cosine = (part @ normals.mT).clamp(min=0)
        seen += (open_ * cosine).sum(0)
        total += cosine.sum(0)
    return (seen / total.clamp(min=1e-6)).clamp(0, 1)
