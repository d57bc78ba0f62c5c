"""What tests ask of triangle meshes."""

import torch


def face_normals(verts: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Give the unit normals (..., F, 3) of triangles with an area; vertices (..., N, 3)."""
    v0, v1, v2 = verts[..., faces, :].unbind(-2)
    return torch.nn.functional.normalize(torch.linalg.cross(v1 - v0, v2 - v0), dim=-1)
