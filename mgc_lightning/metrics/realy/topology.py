"""Topologies: the faces of a method's meshes and where the 85 keypoints lie on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.realy.regions import KEYPOINT_COUNT

ENOUGH = 500
"""Vertices that a mesh has at least of whose edges one can say whether they are long."""
REORDERED = 20.0
"""See `_edge_length`: 5.5 of the embedded head at both of its levels, over 100 where its order is lost."""


@dataclass(frozen=True)
class Topology:
    """Hold what REALY needs to know about a mesh topology; its rest positions play no part.

    Attributes:
        name: how messages call it.
        vertex_count: N.
        faces: (F, 3) int64, quads split in place.
        triangles: (85, 3) vertices of the triangle of each keypoint.
        weights: (85, 3) their weights, rows sum to 1.
        mask: (N,) vertices whose faces make up the surface that errors are measured to; all if None.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.evaluation.realy import load_topology
        >>> topology = load_topology("makehuman")
        >>> topology.keypoints(load_face_model().mean.numpy()).shape, topology.vertex_count
        ((85, 3), 4032)
    """

    name: str
    vertex_count: int
    faces: Int[NDArray, "F 3"]
    triangles: Int[NDArray, "85 3"]
    weights: Float[NDArray, "85 3"]
    mask: Bool[NDArray, " N"] | None = None

    def keypoints(self, verts: Float[NDArray, "N 3"]) -> Float[NDArray, "85 3"]:
        """Interpolate the 85 keypoints on vertices of this topology, in float64."""
        return (verts[self.triangles] * self.weights[:, :, None]).sum(axis=1)

    def masked(self, faces: Int[NDArray, "F 3"]) -> Int[NDArray, "G 3"]:
        """Keep the faces whose three vertices the mask keeps."""
        return faces if self.mask is None else faces[self.mask[faces].all(axis=1)]

    def check(self, verts: Float[NDArray, "N 3"], name: str = "prediction") -> None:
        """Refuse vertices that cannot be of this topology.

        Raises:
            MGCError: if their number differs, some are not finite, or its edges are as long as between any vertices: a
                sign of another order, which registration would search for hours.
        """
        if verts.ndim != 2 or verts.shape != (self.vertex_count, 3):
            raise MGCError(
                f"{name}: expected {self.vertex_count} vertices of topology {self.name!r}, got an array of shape "
                f"{tuple(verts.shape)}. Predictions must keep the number and the order of the template's vertices "
                "(trimesh: process=False)"
            )
        if not np.isfinite(verts).all():
            first = int(np.flatnonzero(~np.isfinite(verts).all(axis=1))[0])
            raise MGCError(f"{name}: vertex {first} is not finite: {verts[first].tolist()}")
        if len(verts) >= ENOUGH and _edge_length(verts, self.faces) > REORDERED:
            raise MGCError(
                f"{name}: the edges of topology {self.name!r} are long on it: its vertices are in another order. Save "
                "predictions in the template's order (trimesh: process=False)"
            )

    def check_faces(self, faces: Int[NDArray, "F 3"], name: str = "prediction") -> None:
        """Refuse faces that join other vertices than this topology's: a sign of re-ordered vertices.

        A part of the faces, or quads split the other way, are fine.

        Raises:
            MGCError: if less than half of the edges are edges of the topology.
        """
        known = np.unique(_edge_keys(self.faces, self.vertex_count))
        share = float(np.isin(_edge_keys(faces, self.vertex_count), known).mean()) if len(faces) else 1.0
        if share < 0.5:
            raise MGCError(
                f"{name}: only {share:.0%} of its edges are edges of topology {self.name!r}: its vertices are in "
                "another order. Save predictions in the template's order (trimesh: process=False)"
            )


def _edge_length(verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"]) -> float:
    """Give the median edge in typical distances from the middle, times the root of the number of vertices."""
    points = np.asarray(verts, np.float64)
    edges = np.linalg.norm(points[faces[:, 0]] - points[faces[:, 1]], axis=1)
    spread = np.median(np.linalg.norm(points - np.median(points, axis=0), axis=1))
    return float(np.sqrt(len(points)) * np.median(edges) / spread) if spread > 0 else 0.0


def _edge_keys(faces: Int[NDArray, "F 3"], vertex_count: int) -> Int[NDArray, " E"]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return edges[:, 0].astype(np.int64) * vertex_count + edges[:, 1]


def topology_from_keypoints(
    name: str,
    vertex_count: int,
    faces: Int[NDArray, "F 3"],
    rows: Float[NDArray, "85 3"],
) -> Topology:
    """Make a topology from official keypoint rows: triangle, w0, w1; the third weight is 1 - w0 - w1.

    Raises:
        MGCError: if there are not 85 rows, or one names a triangle that is not there.

    Example:
        >>> rows = np.tile([0.0, 0.25, 0.25], (85, 1))  # all on triangle 0
        >>> topology = topology_from_keypoints("one triangle", 3, np.array([[0, 1, 2]]), rows)
        >>> topology.keypoints(np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]))[0].tolist()
        [1.0, 2.0, 0.0]
    """
    rows = np.asarray(rows, np.float64)
    if rows.shape != (KEYPOINT_COUNT, 3) or not np.isfinite(rows).all():
        raise MGCError(
            f"{name}: expected {KEYPOINT_COUNT} keypoints [triangle, w0, w1], got an array of shape {rows.shape}"
        )
    index = rows[:, 0].astype(np.int64)
    if index.min() < 0 or index.max() >= len(faces):
        raise MGCError(
            f"{name}: a keypoint lies on triangle {index.max()}, but the topology has {len(faces)} triangles"
        )
    weights = np.stack([rows[:, 1], rows[:, 2], 1.0 - rows[:, 1] - rows[:, 2]], axis=1)
    faces = np.asarray(faces, np.int64)
    return Topology(name, vertex_count, faces, faces[index], weights)
