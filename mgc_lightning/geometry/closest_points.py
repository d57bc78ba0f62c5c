"""Closest points on a triangle mesh: exact, float64, one core (scan-to-mesh distances of NoW and REALY)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry import bvh, bvh_build

FLAT = 1e-10
"""A face whose height is below this part of its longest edge has no surface and is left out."""


@dataclass(frozen=True)
class ClosestPoint:
    """Hold the answers of a query; unpacks as `distances, face_index, points`.

    Attributes:
        distances: (Q,) unsigned Euclidean distances.
        face_index: (Q,) int64 closest face; of faces at the same distance, any.
        points: (Q, 3) closest points of the surface.

    Example:
        >>> triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        >>> surface = ClosestPoints(triangle, np.array([[0, 1, 2]]))
        >>> distances, face_index, points = surface.query(np.array([[0.2, 0.2, 3.0]]))
        >>> distances.tolist(), points.tolist()
        ([3.0], [[0.2, 0.2, 0.0]])
    """

    distances: NDArray[np.float64]
    face_index: NDArray[np.int64]
    points: NDArray[np.float64]

    def __iter__(self) -> Iterator[NDArray]:
        return iter((self.distances, self.face_index, self.points))


class ClosestPoints:
    """Answer closest-point queries against a triangle mesh.

    The tree is built once; to query a mesh that moved by a similarity, move the points into its frame.
    Faces without an area are left out (`dropped` counts them).

    Args:
        verts: (N, 3) any unit.
        faces: (F, 3) vertex indices.

    Raises:
        MGCError: no face with an area, a coordinate that is not finite, or an index out of range.

    Example:
        >>> mesh = ClosestPoints([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
        >>> distances, face_index, points = mesh.query([[0.5, 0.5, 3.0], [-1.0, 0.0, 0.0]])
        >>> distances.tolist(), points.tolist()
        ([3.0, 1.0], [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, verts: ArrayLike, faces: ArrayLike) -> None:
        verts = _points(verts, "verts")
        triangles = _faces(faces, len(verts))
        corners = verts[triangles]
        kept = np.flatnonzero(~bvh_build.flat_faces(corners, FLAT)).astype(np.int32)
        if not len(kept):
            raise MGCError(f"Expected a mesh with a surface, got {len(triangles)} faces, none with an area")
        self.dropped = len(triangles) - len(kept)
        order = kept.copy()
        self.boxes, self.children, first, count = bvh_build.build(corners.min(axis=1), corners.max(axis=1), order)
        self.triangles, self._faces = bvh_build.pack(corners, order, first, count)
        self._slots = np.zeros(len(triangles), np.int32)
        self._slots[self._faces.ravel()] = np.arange(self._faces.size, dtype=np.int32)

    def query(self, points: ArrayLike, guess: ArrayLike | None = None) -> ClosestPoint:
        """Find the closest point of the surface to each of `points` (Q, 3).

        Args:
            points: (Q, 3).
            guess: (Q,) faces that are probably near, such as the last answer; they make the search faster and
                do not change its result. Without it, points that follow each other should be near each other.

        Returns:
            Distances (Q,), face index (Q,) and closest points (Q, 3).
        """
        points = _points(points, "points")
        slots = np.full(len(points), -1, np.int32)
        if guess is not None:
            slots[:] = self._slots[np.asarray(guess)]
        distances2, closest = bvh.query(self.boxes, self.children, self.triangles, points, slots)
        return ClosestPoint(np.sqrt(distances2), self.face_of(slots), closest)

    def face_of(self, slots: NDArray[np.int32]) -> NDArray[np.int64]:
        """Translate places in the tree's leaves into faces of the mesh."""
        return self._faces.ravel()[slots].astype(np.int64)


def barycentric_weights(points: Float[NDArray, "Q 3"], corners: Float[NDArray, "Q 3 3"]) -> Float[NDArray, "Q 3"]:
    """Give the weights (Q, 3) of points (Q, 3) that lie on triangles (Q, 3, 3), clipped to them.

    Example:
        >>> corners = np.array([[[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]])
        >>> barycentric_weights(np.array([[1.0, 2.0, 0.0]]), corners).tolist()
        [[0.25, 0.25, 0.5]]
    """
    u, w, p = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    normal = np.cross(u, w)
    area2 = np.einsum("qc,qc->q", normal, normal)
    second = np.einsum("qc,qc->q", np.cross(p, w), normal) / area2
    third = np.einsum("qc,qc->q", np.cross(u, p), normal) / area2
    weights = np.stack([1 - second - third, second, third], axis=1).clip(0.0, 1.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _points(points: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise MGCError(f"Expected {name} of shape (n, 3), got {array.shape}")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        raise MGCError(f"Expected finite {name}, got {len(bad)} rows with NaN or inf, the first at row {bad[0]}")
    return array


def _faces(faces: ArrayLike, vertices: int) -> NDArray[np.int64]:
    array = np.asarray(faces)
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise MGCError(f"Expected faces of shape (n, 3) with n > 0, got {array.shape}")
    array = array.astype(np.int64)
    if array.min() < 0 or array.max() >= vertices:
        raise MGCError(f"Expected vertex indices in 0..{vertices - 1}, got faces with {array.min()}..{array.max()}")
    return array
