"""The surface of a prediction while it moves rigidly: one search tree for all poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.metrics.realy.ties import TIE, settle_ties


@dataclass(frozen=True)
class PosedVerts:
    """Hold vertices that moved from rest by `R v + t`, and as they are now, rounded or not.

    Attributes:
        rest: (N, 3) float64.
        now: (N, 3) float32, or float64 at rest.
        R: (3, 3) orthogonal.
        t: (3,).

    Example:
        >>> verts = PosedVerts.at_rest(np.array([[1.0, 0.0, 0.0]]))
        >>> turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter, about z
        >>> moved = verts.moved(turn, np.array([0.0, 0.0, 3.0]))
        >>> moved.now.tolist(), moved.now.dtype
        ([[0.0, 1.0, 3.0]], dtype('float32'))
    """

    rest: Float[NDArray, "N 3"]
    now: Float[NDArray, "N 3"]
    R: Float[NDArray, "3 3"]
    t: Float[NDArray, " 3"]

    @classmethod
    def at_rest(cls, verts: Float[NDArray, "N 3"]) -> PosedVerts:
        """Give vertices that have not moved."""
        return cls(verts, verts, np.eye(3), np.zeros(3))

    def moved(self, R: Float[NDArray, "3 3"], t: Float[NDArray, " 3"]) -> PosedVerts:
        """Move on, and round to float32 as the official program does after every update."""
        return PosedVerts(self.rest, (self.now @ R.T + t).astype(np.float32), R @ self.R, R @ self.t + t)

    def rounding(self) -> float:
        """Give the largest distance of a vertex from where exact arithmetic would have it."""
        off = self.now - (self.rest @ self.R.T + self.t)
        return float(np.sqrt(np.einsum("nc,nc->n", off, off).max()))


class RigidSurface:
    """Answer closest-point queries on a mesh at any rigid pose, exactly as trimesh answers them.

    The tree of the resting mesh finds the candidates, with a margin for what rounding moved; the vertices as they are
    now decide among them.

    Args:
        verts: (N, 3) at rest.
        faces: (F, 3).

    Example:
        >>> verts = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        >>> surface = RigidSurface(verts, np.array([[0, 1, 2]]))
        >>> raised = PosedVerts.at_rest(verts).moved(np.eye(3), np.array([0.0, 0.0, 1.0]))
        >>> faces, closest = surface.query(np.array([[0.25, 0.25, 5.0]]), raised)
        >>> faces.tolist(), closest.tolist()
        ([0], [[0.25, 0.25, 1.0]])
    """

    def __init__(self, verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"]) -> None:
        self._faces = np.ascontiguousarray(faces, np.int64)
        self._tree = ClosestPoints(verts, faces)
        places = np.arange(self._tree.triangles.shape[0] * self._tree.triangles.shape[2], dtype=np.int32)
        self._slot_faces = self._tree.face_of(places).reshape(-1, self._tree.triangles.shape[2])

    def query(
        self, points: Float[NDArray, "Q 3"], posed: PosedVerts, guess: Int[NDArray, " Q"] | None = None
    ) -> tuple[Int[NDArray, " Q"], Float[NDArray, "Q 3"]]:
        """Find the closest face and surface point of each point.

        Args:
            points: (Q, 3).
            posed: the vertices.
            guess: (Q,) faces that are probably near.
        """
        points = points.astype(np.float64)
        resting = (points - posed.t) @ posed.R
        rounding = posed.rounding()
        distances = self._tree.query(resting, guess).distances
        reach = np.sqrt((distances + rounding) ** 2 + 2 * TIE) + rounding
        return settle_ties(
            self._tree.boxes,
            self._tree.children,
            self._tree.triangles,
            self._slot_faces,
            resting,
            reach**2 * (1 + 1e-12),
            points,
            posed.now.astype(np.float64),
            self._faces,
        )
