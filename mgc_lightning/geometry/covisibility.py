"""Covisibility of two views, from what their rasterizers found (MGCNet sec. 3.2, covisible maps)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.geometry.view_synthesis import Correspondence, neighbours_covered, sample_bilinear


def visible_verts(pix_to_face: Int[Tensor, "B H W"], faces: Int[Tensor, "F 3"], num_verts: int) -> Bool[Tensor, "B N"]:
    """Tell which vertices belong to a triangle that wins at least one pixel.

    Args:
        pix_to_face: (B, H, W) index into `faces`, -1 in the background.
        faces: (F, 3) vertex indices.
        num_verts: N.

    Example:
        >>> faces = torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> visible_verts(torch.tensor([[[-1, 0], [0, 0]]]), faces, num_verts=4).tolist()
        [[True, True, True, False]]
    """
    seen_faces = visible_faces(pix_to_face, len(faces))
    corners = seen_faces[:, :, None].expand(-1, -1, 3).flatten(1).to(torch.float32)
    counts = torch.zeros(len(pix_to_face), num_verts, device=faces.device)
    return counts.index_add_(1, faces.flatten(), corners) > 0


def visible_faces(pix_to_face: Int[Tensor, "B H W"], num_faces: int) -> Bool[Tensor, "B F"]:
    """Tell which triangles win at least one pixel; the background is none of them.

    Example:
        >>> visible_faces(torch.tensor([[[-1, 2], [2, 0]]]), num_faces=3).tolist()
        [[True, False, True]]
    """
    winners = pix_to_face.flatten(1)
    # The background scatters into a column of its own.
    seen = torch.zeros(len(winners), num_faces + 1, dtype=torch.bool, device=winners.device)
    seen.scatter_(1, torch.where(winners >= 0, winners, num_faces), True)
    return seen[:, :num_faces]


def pixels_with_shared_verts(
    pix_to_face_target: Int[Tensor, "B H W"],
    pix_to_face_source: Int[Tensor, "B H W"],
    faces: Int[Tensor, "F 3"],
    num_verts: int,
) -> Bool[Tensor, "B 1 H W"]:
    """Tell at which target pixels the winning triangle has a vertex that both views see.

    This is the paper's covisible map without its second rendering. The rule reaches one triangle beyond an
    occlusion, so it is necessary, not sufficient.

    Example:
        >>> faces = torch.tensor([[0, 1, 2], [1, 2, 3], [4, 5, 6]])
        >>> target, source = torch.tensor([[[0, 2, -1]]]), torch.tensor([[[1, 1, 1]]])
        >>> pixels_with_shared_verts(target, source, faces, num_verts=7).tolist()
        [[[[True, False, False]]]]
    """
    shared = visible_verts(pix_to_face_target, faces, num_verts)
    shared &= visible_verts(pix_to_face_source, faces, num_verts)
    covisible_faces = shared[:, faces].any(-1)
    winners = pix_to_face_target.flatten(1)
    covisible = covisible_faces.gather(1, winners.clamp(min=0)) & (winners >= 0)
    return covisible.unflatten(1, pix_to_face_target.shape[1:]).unsqueeze(1)


def covisible_mask(
    correspondence: Correspondence,
    depth_source: Float[Tensor, "B 1 H W"],
    pix_to_face_target: Int[Tensor, "B H W"],
    pix_to_face_source: Int[Tensor, "B H W"],
    faces: Int[Tensor, "F 3"],
    num_verts: int,
    tolerance: float = 5.0,
) -> Bool[Tensor, "B 1 H W"]:
    """Tell which target pixels show a surface point that the source view shows too; no gradient.

    A pixel is covisible where its winning triangle has a vertex seen in both views, its four source samples
    are foreground, and the source depth sampled there agrees with the depth of the transformed point.

    Args:
        correspondence: where the target's points lie in the source view.
        depth_source: (B, 1, H, W) camera z in mm, 0 in the background.
        pix_to_face_target: (B, H, W) index into `faces`, -1 in the background.
        pix_to_face_source: (B, H, W), of the same faces.
        faces: (F, 3) vertex indices.
        num_verts: N.
        tolerance: largest depth disagreement in mm; infinity leaves the depth test out.

    Example:
        >>> from mgc_lightning.geometry import correspond, intrinsics
        >>> faces, K = torch.tensor([[0, 1, 2]]), intrinsics(4)[None]
        >>> depth, winners = torch.full((1, 1, 4, 4), 5000.0), torch.zeros(1, 4, 4, dtype=torch.long)
        >>> same = correspond(depth, torch.eye(4)[None], K, K)
        >>> covisible_mask(same, depth, winners, winners, faces, num_verts=3)[0, 0, 1].tolist()[1:3]
        [True, True]
        >>> nearer = depth - 20.0  # something stands before the face in the source view
        >>> covisible_mask(same, nearer, winners, winners, faces, num_verts=3).any().item()
        False
    """
    with torch.no_grad():
        shared = pixels_with_shared_verts(pix_to_face_target, pix_to_face_source, faces, num_verts)
        foreground = neighbours_covered((pix_to_face_source >= 0).to(depth_source.dtype)[:, None], correspondence.uv)
        disagreement = sample_bilinear(depth_source, correspondence.uv) - correspondence.depth
        return shared & correspondence.inside & foreground & (disagreement.abs() <= tolerance)
