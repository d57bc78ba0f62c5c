"""The official covisible map: triangles around shared vertices, drawn again, with its artefacts."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.geometry.covisibility import visible_verts
from mgc_lightning.rendering.renderer import FaceRenderer


def official_shared_verts(
    pix_to_face_target: Int[Tensor, "B H W"],
    pix_to_face_source: Int[Tensor, "B H W"],
    faces: Int[Tensor, "F 3"],
    vertex_order: Int[Tensor, " M"],
    num_verts: int,
) -> Bool[Tensor, "B N"]:
    """Tell which vertices both views see, as the official program counts.

    Background pixels carry triangle 0, so its vertices are always seen. The samples' sets are padded with vertex
    0 to the length of the longest, so every shorter one contains it.

    Args:
        pix_to_face_target: (B, H, W), -1 in the background.
        pix_to_face_source: (B, H, W).
        faces: (F, 3) triangles of the face region.
        vertex_order: (M,) vertices of the region in the official numbering; the first is its vertex 0.
        num_verts: N of the whole mesh.
    """
    shared = visible_verts(pix_to_face_target.clamp(min=0), faces, num_verts)
    shared &= visible_verts(pix_to_face_source.clamp(min=0), faces, num_verts)
    counts = shared.sum(1)
    shared[counts < counts.max(), vertex_order[0]] = True
    return shared


def official_covisible_faces(shared: Bool[Tensor, "B N"], faces: Int[Tensor, "F 3"]) -> Bool[Tensor, "B F"]:
    """Tell which triangles touch a shared vertex; padding adds triangle 0 to all."""
    touched = shared[:, faces].any(-1)
    touched[:, 0] = True
    return touched


@torch.no_grad()
def official_covisible_map(
    renderer: FaceRenderer,
    verts_cam_target: Float[Tensor, "B N 3"],
    covisible_faces: Bool[Tensor, "B F"],
    faces: Int[Tensor, "F 3"],
    K: Float[Tensor, "B 3 3"],
    image_size: int,
) -> Float[Tensor, "B 1 H W"]:
    """Draw the covisible triangles alone in the target view; nothing hides them."""
    masks = [
        renderer.rasterize(verts[None], faces[chosen], camera, image_size).mask
        for verts, chosen, camera in zip(verts_cam_target, covisible_faces, K, strict=True)
    ]
    return torch.stack(masks).to(verts_cam_target.dtype)
