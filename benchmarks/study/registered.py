"""The face of a model that is closest to a neutral face in correspondence: what a supervised network could reach."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.face_models import FaceModel
from mgc_lightning.geometry.alignment import similarity_fit
from mgc_lightning.geometry.mesh import vertex_normals

TANGENTIAL = 0.1
"""Weight of distances along the surface beside 1 across it: correspondences slide."""
PRIOR = 10.0
"""mm^2 a squared standard deviation."""
ITERATIONS = 3


@dataclass(frozen=True)
class Registered:
    """Hold an identity (I,) and the similarity y = s R q + t of given points q to its frame."""

    identity: Float[Tensor, " I"]
    s: Float[Tensor, ""]
    R: Float[Tensor, "3 3"]
    t: Float[Tensor, " 3"]

    def poses(self, T_cam: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
        """Give the poses of the identity's frame from those of the given points'."""
        T = T_cam.clone()
        R = T_cam[..., :3, :3] @ self.R.T.to(T_cam)
        T[..., :3, :3] = R
        T[..., :3, 3] = self.s.to(T_cam) * T_cam[..., :3, 3] - R @ self.t.to(T_cam)
        return T


def register(model: FaceModel, verts: Float[Tensor, "N 3"]) -> Registered:
    """Fit identity and similarity to a neutral face in the model's order of vertices, mm, by Gauss-Newton in float64.

    Only the face mask counts. Distances across the surface count in full, those along it a little.
    """
    mask = model.face_mask
    basis, mean = model.identity_basis[:, mask].double(), model.mean[mask].double()
    normals = vertex_normals(verts[None], model.faces)[0, mask].double()
    points, identity = verts[mask].double(), basis.new_zeros(len(basis))
    eye = torch.eye(3, dtype=torch.float64, device=verts.device)
    for _ in range(ITERATIONS):
        shape = mean + torch.einsum("i,inj->nj", identity, basis)
        s, R, t = (part[0] for part in similarity_fit(points[None], shape[None]))
        across = normals @ R.T
        weights = TANGENTIAL * eye + (1 - TANGENTIAL) * across[:, :, None] * across[:, None, :]
        centred = shape - shape.mean(0)
        turns = torch.linalg.cross(eye[None].expand(len(shape), 3, 3), centred[:, None].expand(-1, 3, 3), dim=-1)
        moves = [turns.transpose(1, 2), eye.expand(len(shape), 3, 3), centred[:, :, None]]
        # Turn, shift and growth are unknowns beside the identity, so that it does not have to stand in for them.
        columns = torch.cat([basis.permute(1, 2, 0), *moves], -1)
        weighed = weights @ columns
        residual = s * points @ R.T + t - mean
        prior = columns.new_full((columns.shape[-1],), 1e-9)
        prior[: len(basis)] = PRIOR
        normal = torch.einsum("nik,nil->kl", columns, weighed) + torch.diag(prior)
        identity = torch.linalg.solve(normal, torch.einsum("nik,ni->k", weighed, residual))[: len(basis)]
    shape = mean + torch.einsum("i,inj->nj", identity, basis)
    s, R, t = (part[0].float() for part in similarity_fit(points[None], shape[None]))
    return Registered(identity.float(), s, R, t)
