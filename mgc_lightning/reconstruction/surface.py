"""The surface that carries a texture: the face with a clean rim, and without a hole behind its lips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.edges import adjacency, directed_edges
from mgc_lightning.structures import FaceMesh

SMOOTHINGS = 10
"""Times that the region of the face is averaged with its neighbours before it is cut where it is a half."""
MIDDLE = 10.0
"""mm from the middle of the face within which a hole is the mouth's, and not an eye's."""


@dataclass(frozen=True)
class TexturedSurface:
    """Hold vertices on the edges of a face model's mesh, and triangles of them.

    Attributes:
        ends: (M, 2) vertices of the mesh at the ends of the edge that each lies on; the same twice for its own.
        share: (M,) of the second.
        faces: (F, 3) triangles.
    """

    ends: Int[Tensor, "M 2"]
    share: Float[Tensor, " M"]
    faces: Int[Tensor, "F 3"]

    def mesh(self, mesh: FaceMesh) -> FaceMesh:
        """Give the surface of one face."""
        normals = torch.nn.functional.normalize(self._at(mesh.normals), dim=-1)
        return FaceMesh(self._at(mesh.verts), self.faces.to(mesh.faces), normals, self._at(mesh.albedo))

    def _at(self, values: Float[Tensor, "N C"]) -> Float[Tensor, "M C"]:
        ends = self.ends.to(values.device)
        return torch.lerp(values[ends[:, 0]], values[ends[:, 1]], self.share.to(values)[:, None])


@lru_cache(maxsize=4)
def textured_surface(face_model: FaceModel) -> TexturedSurface:
    """Cut the face out of a face model along a smooth line, and close the hole behind its lips.

    The region that other meshes are made of ends at whole triangles, in teeth; here it ends where it has faded to a
    half, across them. Eyes stay as they are.

    Args:
        face_model: any.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> surface = textured_surface(model)
        >>> face = surface.mesh(model(model.mean_coefficients(batch_size=1).map(lambda group: group[0])))
        >>> face.verts.shape[0] == len(surface.share), len(surface.faces) < len(model.faces)
        (True, True)
    """
    faces = face_model.faces.cpu().numpy()
    region = face_model.face_region_faces.cpu().numpy()
    rim, holes = _loops(region, face_model.mean.cpu().numpy())
    inside = _faded(faces, region, rim, face_model.num_verts)
    # Where the rim goes inwards the line lies beyond it, in the next triangles.
    beyond = np.isin(faces, rim).any(1) & ~_rows_in(faces, region)
    ends, share, triangles = _cut(np.concatenate([region, faces[beyond]]), inside)
    # Behind the lips some models are open: triangles from one vertex of the edge to all others.
    caps = [(loop[0], a, b) for loop in holes for a, b in pairwise(loop[1:])]
    numbers = {int(pair[0]): row for row, pair in enumerate(ends) if pair[0] == pair[1]}
    caps = [cap for cap in caps if all(vertex in numbers for vertex in cap)]
    closed = np.array([[numbers[vertex] for vertex in cap] for cap in caps], dtype=np.int64).reshape(-1, 3)
    return TexturedSurface(
        torch.from_numpy(ends), torch.from_numpy(share).float(), torch.from_numpy(np.concatenate([triangles, closed]))
    )


def _loops(faces: NDArray, verts: NDArray) -> tuple[list[int], list[list[int]]]:
    """Give the outer rim of some triangles, and the loops around their holes in the middle of the face.

    Loops go as the triangles beyond them would: against the edges of those that are there.
    """
    there = set(map(tuple, directed_edges(faces).tolist()))
    following = {b: a for a, b in there if (b, a) not in there}
    loops = []
    while following:
        start, after = following.popitem()
        loop = [start]
        while after != start and after in following:
            loop.append(after)
            after = following.pop(after)
        loops.append(loop)
    loops.sort(key=lambda loop: float(np.ptp(verts[loop], axis=0).max()), reverse=True)
    if not loops:
        return [], []
    middle = verts[np.unique(faces)][:, 0].mean()
    return loops[0], [loop for loop in loops[1:] if len(loop) > 2 and abs(verts[loop, 0].mean() - middle) < MIDDLE]


def _faded(faces: NDArray, region: NDArray, rim: list[int], count: int) -> Float[NDArray, " N"]:
    """Fade the region out around its rim, and only there; it is cut where it is a half."""
    graph = adjacency(faces, count)
    graph = sp.diags(1.0 / np.maximum(1, np.asarray(graph.sum(1)).ravel())) @ graph
    belongs = np.zeros(count)
    belongs[np.unique(region)] = 1
    near = np.zeros(count)
    near[rim] = 1
    for _ in range(SMOOTHINGS):
        near = np.maximum(near, (graph @ near > 0).astype(float))
    faded = belongs.copy()
    for _ in range(SMOOTHINGS):
        faded = np.where(near > 0, 0.5 * faded + 0.5 * (graph @ faded), belongs)
    return faded


def _rows_in(rows: Int[NDArray, "F 3"], others: Int[NDArray, "G 3"]) -> NDArray:
    known = set(map(tuple, others.tolist()))
    return np.array([tuple(row) in known for row in rows.tolist()])


def _cut(
    region: Int[NDArray, "F 3"], inside: Float[NDArray, " N"]
) -> tuple[Int[NDArray, "M 2"], Float[NDArray, " M"], Int[NDArray, "F2 3"]]:
    """Keep of triangles what lies where `inside` is over a half."""
    keep = inside[region] >= 0.5
    pairs: dict[tuple[int, int], int] = {}
    triangles: list[tuple[int, int, int]] = []

    def number(a: int, b: int) -> int:
        return pairs.setdefault((min(a, b), max(a, b)), len(pairs))

    for face, kept in zip(region.tolist(), keep.tolist(), strict=True):
        polygon = []
        for k in range(3):
            a, b = face[k], face[(k + 1) % 3]
            if kept[k]:
                polygon.append(number(a, a))
            if kept[k] != kept[(k + 1) % 3]:
                polygon.append(number(a, b))
        triangles += [(polygon[0], polygon[k], polygon[k + 1]) for k in range(1, len(polygon) - 1)]
    ends = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    low, high = inside[ends[:, 0]], inside[ends[:, 1]]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(ends[:, 0] == ends[:, 1], 0.0, (0.5 - low) / (high - low))
    return ends, share, np.array(triangles, dtype=np.int64).reshape(-1, 3)
