"""Normals of triangle meshes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def vertex_normals(verts: Float[Tensor, "*batch N 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "*batch N 3"]:
    """Average the unit normals of the triangles around each vertex, and normalise (MGCNet sec. 3).

    Every triangle of the ring has the same weight whatever its area. Vertices without a triangle, or whose
    triangles have no area or cancel, get the zero vector.

    Args:
        verts: (..., N, 3) any unit.
        faces: (F, 3) vertex indices.

    Returns:
        (..., N, 3) unit vectors in the frame of `verts`, differentiable in `verts`.

    Example:
        >>> roof = torch.tensor([[0.0, 0, 0], [0, 1, 0], [-1, 0, -1], [1, 0, -1]])
        >>> normals = vertex_normals(roof, torch.tensor([[0, 1, 2], [1, 0, 3]]))
        >>> [[round(n, 3) for n in row] for row in normals.tolist()]
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [-0.707, 0.0, 0.707], [0.707, 0.0, 0.707]]
    """
    rows = _batch_to_rows(verts)
    of_faces = _row_face_normals(rows, faces)
    summed = torch.zeros_like(rows)
    for corner in faces.unbind(-1):
        summed = summed.index_add(0, corner, of_faces)
    return _rows_to_batch(_unit(summed), verts.shape[:-2])


# The functions below see one row a vertex: x of all samples, then y, then z. Gathering and scattering whole
# rows, and vector maths along the batch, take .6 of the time of the batch-first order on a CPU.


def _batch_to_rows(verts: Float[Tensor, "*batch N 3"]) -> Float[Tensor, "N 3 M"]:
    return verts.reshape(-1, *verts.shape[-2:]).permute(1, 2, 0).contiguous()


def _rows_to_batch(rows: Float[Tensor, "N 3 M"], batch: torch.Size) -> Float[Tensor, "*batch N 3"]:
    return rows.permute(2, 0, 1).reshape(*batch, rows.shape[0], 3)


def _row_face_normals(rows: Float[Tensor, "N 3 M"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "F 3 M"]:
    v0, v1, v2 = (rows.index_select(0, corner) for corner in faces.unbind(-1))
    # A corner that is not finite would pass NaN to its neighbours through 0 * NaN in the backward pass.
    a, b = (torch.nan_to_num(edge, nan=0.0, posinf=0.0, neginf=0.0) for edge in (v1 - v0, v2 - v0))
    (ax, ay, az), (bx, by, bz) = a.unbind(1), b.unbind(1)
    return _unit(torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=1))


def _unit(rows: Float[Tensor, "N 3 M"]) -> Float[Tensor, "N 3 M"]:
    squared = rows.square().sum(1, keepdim=True)
    usable = squared > torch.finfo(rows.dtype).tiny ** 0.5
    return torch.where(usable, rows * torch.where(usable, squared, 1.0).rsqrt(), 0.0)
