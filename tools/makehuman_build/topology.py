"""The head's two meshes: the cropped control mesh, and its subdivision with finer eyeballs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from tools.makehuman_build.assets import BaseMesh

PARTS = ("head", "mouth_cavity", "inner_lid", "teeth", "eye_r", "eye_l")
"""Names of the quad labels."""
EYE_RINGS = (5.0, 9.0, 13.0, 17.0, 20.5, 22.5, 24.5, 30.0, 40.0, 52.0, 66.0, 82.0, 100.0)
"""Polar angles in degrees, from the pupil, of the rings of a subdivided eyeball."""
EYE_SECTORS = 24
LID_RINGS = 2
"""Rings of the eye cavity that are kept behind the lids."""


@dataclass
class Topology:
    """Hold the head's control mesh and its subdivision.

    Attributes:
        base_ids: (N0,) the base mesh's vertex of every control vertex.
        head_quads: (Q, 4) control quads without the eyeballs.
        quad_parts: (Q,) index into `PARTS`.
        edges: (E, 2) edges of `head_quads`, by first appearance.
        faces: (F0, 3) control triangles.
        subdivision: (N1, N0), rows sum to 1.
        fine_faces: (F1, 3) triangles of the subdivided mesh.
        fine_parts: (F1,) index into `PARTS`.
        uv: (N1, 2) texture coordinates; -1 on the eyeballs.
    """

    base_ids: np.ndarray
    head_quads: np.ndarray
    quad_parts: np.ndarray
    edges: np.ndarray
    faces: np.ndarray
    subdivision: scipy.sparse.csr_matrix
    fine_faces: np.ndarray
    fine_parts: np.ndarray
    uv: np.ndarray

    def part_verts(self, *parts: str) -> np.ndarray:
        """Give the mask (N1,) of fine vertices that touch a triangle of the named parts."""
        mask = np.zeros(self.subdivision.shape[0], dtype=bool)
        chosen = np.isin(self.fine_parts, [PARTS.index(part) for part in parts])
        mask[self.fine_faces[chosen].ravel()] = True
        return mask


def build_topology(mesh: BaseMesh, body_parts: np.ndarray) -> Topology:
    """Crop the head from the base mesh and subdivide it once (Catmull-Clark), re-meshing the eyeballs."""
    quads, quads_uv, parts = _crop(mesh, body_parts)
    eyes = [mesh.quads["helper-r-eye"], mesh.quads["helper-l-eye"]]
    base_ids = np.concatenate([np.unique(quads), *(np.unique(eye) for eye in eyes)])
    control_of = np.full(len(mesh.verts), -1)
    control_of[base_ids] = np.arange(len(base_ids))
    quads, eyes = control_of[quads], [control_of[eye] for eye in eyes]
    control_quads = np.concatenate([quads, *eyes])
    num_head = len(np.unique(quads))
    corner_edges, edges = _edges(quads)
    head_matrix = _catmull_clark(quads, corner_edges, edges, num_head)
    matrices, fine_faces = [head_matrix], [_subdivided_faces(quads, corner_edges, num_head, len(edges))]
    fine_parts = [np.tile(np.repeat(parts, 4), 2)]
    for label, eye in zip(("eye_r", "eye_l"), eyes, strict=True):
        directions = _eyeball_directions(mesh.verts[base_ids[np.unique(eye)]])
        matrices.append(_eyeball_matrix(directions))
        cap = _eyeball_faces()
        fine_faces.append(cap + sum(matrix.shape[0] for matrix in matrices[:-1]))
        fine_parts.append(np.full(len(cap), PARTS.index(label)))
    matrix = scipy.sparse.block_diag(matrices, format="csr")
    uv = np.full((matrix.shape[0], 2), -1.0)
    uv[: head_matrix.shape[0]] = _subdivided_uv(mesh.uv[quads_uv], quads, corner_edges, head_matrix.shape[0])
    return Topology(
        base_ids=base_ids,
        head_quads=quads,
        quad_parts=parts,
        edges=edges,
        faces=np.concatenate([control_quads[:, [0, 1, 2]], control_quads[:, [0, 2, 3]]]),
        subdivision=matrix,
        fine_faces=np.concatenate(fine_faces),
        fine_parts=np.concatenate(fine_parts),
        uv=uv,
    )


def _crop(mesh: BaseMesh, body_parts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collect quads: head, mouth cavity, the rings behind each lid, teeth."""
    body, body_uv = mesh.quads["body"], mesh.quads_uv["body"]
    head = body_parts == "head"
    chosen = [(np.flatnonzero(head), "head"), (np.flatnonzero(body_parts == "mouth_cavity"), "mouth_cavity")]
    for side in ("R", "L"):
        cavity = body_parts == f"eye_cavity.{side}"
        front, kept = head, np.zeros_like(head)
        for _ in range(LID_RINGS):
            ring = cavity & ~kept & (np.isin(body, body[front]).sum(axis=1) >= 2)
            kept, front = kept | ring, ring
        chosen.append((np.flatnonzero(kept), "inner_lid"))
    quads = [body[rows] for rows, _ in chosen]
    quads_uv = [body_uv[rows] for rows, _ in chosen]
    parts = [np.full(len(rows), PARTS.index(part)) for rows, part in chosen]
    for group in ("helper-upper-teeth", "helper-lower-teeth"):
        quads.append(mesh.quads[group])
        quads_uv.append(mesh.quads_uv[group])
        parts.append(np.full(len(mesh.quads[group]), PARTS.index("teeth")))
    return np.concatenate(quads), np.concatenate(quads_uv), np.concatenate(parts)


def _edges(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enumerate edges by first appearance: (Q, 4) edge after each corner, and (E, 2) sorted ends."""
    numbers: dict[tuple[int, int], int] = {}
    corner_edges = np.zeros_like(quads)
    for row, quad in enumerate(quads.tolist()):
        for corner in range(4):
            a, b = quad[corner], quad[(corner + 1) % 4]
            corner_edges[row, corner] = numbers.setdefault((min(a, b), max(a, b)), len(numbers))
    return corner_edges, np.array(list(numbers))


def _incidence(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> scipy.sparse.csr_matrix:
    ones = np.ones(rows.size)
    return scipy.sparse.csr_matrix((ones, (rows.ravel(), columns.ravel())), shape=shape)


def _catmull_clark(
    quads: np.ndarray, corner_edges: np.ndarray, edges: np.ndarray, num_verts: int
) -> scipy.sparse.csr_matrix:
    """Give one Catmull-Clark step (Catmull & Clark 1978) as a matrix: moved vertices, edge points, face points.

    Open boundaries follow the cubic B-spline rule (1/8, 6/8, 1/8), their edge points are midpoints.
    """
    num_quads, num_edges = len(quads), len(edges)
    quad_rows = np.repeat(np.arange(num_quads), 4)
    face_points = _incidence(quad_rows, quads, (num_quads, num_verts)) / 4
    edge_verts = _incidence(np.repeat(np.arange(num_edges), 2), edges, (num_edges, num_verts))
    edge_quads = _incidence(corner_edges, quad_rows, (num_edges, num_quads))
    inner = np.asarray(edge_quads.sum(axis=1)).ravel() == 2
    diagonal = scipy.sparse.diags
    edge_points = diagonal(np.where(inner, 0.25, 0.5)) @ edge_verts
    edge_points = edge_points + diagonal(inner * 0.25) @ (edge_quads @ face_points)
    vert_edges, vert_quads = edge_verts.T, _incidence(quads, quad_rows, (num_verts, num_quads))
    valence = np.asarray(vert_edges.sum(axis=1)).ravel()
    boundary_edges = np.asarray((vert_edges @ diagonal(1.0 * ~inner)).sum(axis=1)).ravel()
    boundary = boundary_edges > 0
    num_faces = np.asarray(vert_quads.sum(axis=1)).ravel()
    smooth = diagonal(1 / (num_faces * valence)) @ (vert_quads @ face_points)
    smooth = smooth + diagonal(1 / valence**2) @ (vert_edges @ edge_verts) + diagonal((valence - 3) / valence)
    border = vert_edges @ diagonal(1.0 * ~inner) @ edge_verts / 8 + diagonal(0.75 - boundary_edges / 8)
    verts = diagonal(1.0 * ~boundary) @ smooth + diagonal(1.0 * boundary) @ border
    return scipy.sparse.vstack([verts, edge_points, face_points]).tocsr()


def _subdivided_faces(quads: np.ndarray, corner_edges: np.ndarray, num_verts: int, num_edges: int) -> np.ndarray:
    edge_points = num_verts + corner_edges
    face_points = np.broadcast_to(num_verts + num_edges + np.arange(len(quads))[:, None], quads.shape)
    small = np.stack([quads, edge_points, face_points, np.roll(edge_points, 1, axis=1)], axis=-1).reshape(-1, 4)
    return np.concatenate([small[:, [0, 1, 2]], small[:, [0, 2, 3]]])


def _subdivided_uv(uv: np.ndarray, quads: np.ndarray, corner_edges: np.ndarray, num_fine: int) -> np.ndarray:
    """Give one texture coordinate a fine vertex; at seams the last quad's wins."""
    num_verts = int(quads.max()) + 1
    fine = np.zeros((num_fine, 2))
    fine[num_fine - len(quads) :] = uv.mean(axis=1)
    middle = (uv + np.roll(uv, -1, axis=1)) / 2
    for row in range(len(quads)):
        fine[quads[row]] = uv[row]
        fine[num_verts + corner_edges[row]] = middle[row]
    return fine


def _eyeball_directions(verts: np.ndarray) -> np.ndarray:
    """Fit a sphere and give the unit vectors from its centre."""
    system = np.c_[2 * verts, np.ones(len(verts))]
    solution = np.linalg.lstsq(system, (verts**2).sum(axis=1), rcond=None)[0]
    offset = verts - solution[:3]
    return offset / np.linalg.norm(offset, axis=1, keepdims=True)


def _eyeball_matrix(directions: np.ndarray) -> scipy.sparse.csr_matrix:
    """Give new = [1, d_new] pinv([1, d]): exact for every affine deformation of the ball."""
    polar = np.radians(np.repeat(EYE_RINGS, EYE_SECTORS))
    azimuth = np.tile(np.arange(EYE_SECTORS) * 2 * np.pi / EYE_SECTORS, len(EYE_RINGS))
    ring = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1)
    new = np.concatenate([[[0.0, 0.0, 1.0]], ring])
    matrix = np.c_[np.ones(len(new)), new] @ np.linalg.pinv(np.c_[np.ones(len(directions)), directions])
    return scipy.sparse.csr_matrix(matrix)


def _eyeball_faces() -> np.ndarray:
    """Triangulate the cap: a fan around the pole (vertex 0), then a strip between each pair of rings."""
    here = 1 + np.arange(EYE_SECTORS)
    after = 1 + (np.arange(EYE_SECTORS) + 1) % EYE_SECTORS
    faces = [np.stack([np.zeros_like(here), here, after], axis=1)]
    for _ in EYE_RINGS[1:]:
        outer, outer_after = here + EYE_SECTORS, after + EYE_SECTORS
        strip = np.stack([[here, outer, outer_after], [here, outer_after, after]]).transpose(2, 0, 1)
        faces.append(strip.reshape(-1, 3))
        here, after = outer, outer_after
    return np.concatenate(faces)
