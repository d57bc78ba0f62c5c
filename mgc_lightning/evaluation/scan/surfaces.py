"""What is photographed: a scan in its own colours, or a face model's mesh in painted ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mgc_lightning.files.textured import TexturedMesh
from mgc_lightning.geometry.mesh import vertex_normals

SAME = 1e-4
"""mm within which vertices are one point of the surface, split for the texture."""


@dataclass(frozen=True)
class Surface:
    """Hold a surface in the head's frame.

    Attributes:
        verts: (N, 3) mm.
        faces: (F, 3).
        normals: (N, 3) unit vectors, equal at vertices that seams have split.
        uv: (N, 2) places in the texture, or None.
        texture: (3, H, W) display space, or None.
        colors: (N, 3) display space, where there is no texture.
    """

    verts: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    normals: Float[Tensor, "N 3"]
    uv: Float[Tensor, "N 2"] | None = None
    texture: Float[Tensor, "3 H W"] | None = None
    colors: Float[Tensor, "N 3"] | None = None


def scan_surface(mesh: TexturedMesh, T_head_scan: Float[NDArray, "4 4"]) -> Surface:
    """Bring a scan to the head's frame.

    Example:
        >>> corners = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
        >>> scan = TexturedMesh(corners, corners, np.array([[0, 1, 2]]), colors=np.full((3, 3), 0.5))
        >>> T_head_scan = np.diag([1.0, -1.0, -1.0, 1.0])  # half a turn about x
        >>> surface = scan_surface(scan, T_head_scan)
        >>> surface.verts[2].tolist(), surface.normals[0].tolist()
        ([0.0, -10.0, 0.0], [0.0, 0.0, -1.0])
    """
    verts = mesh.verts @ T_head_scan[:3, :3].T + T_head_scan[:3, 3]
    faces = torch.from_numpy(mesh.faces)
    return Surface(
        torch.from_numpy(verts).float(),
        faces,
        _seamless_normals(verts, mesh.faces),
        None if mesh.uv is None else torch.from_numpy(mesh.uv).float(),
        mesh.texture,
        None if mesh.colors is None else torch.from_numpy(mesh.colors).float(),
    )


def painted_surface(verts: ArrayLike, faces: Int[Tensor, "F 3"], colors: Float[Tensor, "N 3"]) -> Surface:
    """Paint a mesh (N, 3), mm, head's frame, at its vertices.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> surface = painted_surface(model.mean, model.faces, model.albedo_mean)
        >>> surface.normals.shape, surface.texture
        (torch.Size([4032, 3]), None)
    """
    points = torch.as_tensor(np.asarray(verts)).float()
    return Surface(points, faces, vertex_normals(points, faces), colors=colors.float())


def _seamless_normals(verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"]) -> Float[Tensor, "N 3"]:
    whole, place = np.unique(np.round(verts / SAME).astype(np.int64), axis=0, return_inverse=True)
    place = place.reshape(-1)
    points = np.zeros((len(whole), 3))
    points[place] = verts
    normals = vertex_normals(torch.from_numpy(points).float(), torch.from_numpy(place[faces]))
    return normals[torch.from_numpy(place)]
