"""The linear system of non-rigid ICP: one affine map a vertex, tied along the edges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.realy.block_cholesky import BlockCholesky

_AXES = np.arange(4)


class StiffSystem:
    """Solve `min sum_edges |G (X_a - X_b)|^2 + sum_i w_i |x_i X_i - y_i|^2` for affine maps X_i (4 x 3).

    (Amberg, Romdhani and Vetter, CVPR 2007, eq. 12.) The normal matrix has a 4 x 4 block a vertex and a diagonal one an
    edge, the same for all three coordinates, and its pattern depends on the edges alone: it is analysed once.

    Args:
        edges: (E, 2) undirected, each once.
        size: N.

    Example:
        A tetrahedron whose corners are drawn 2 to the right: every map is that shift.

        >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> system = StiffSystem(np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]), size=4)
        >>> maps = system.solve(np.ones(4), np.column_stack([corners, np.ones(4)]), np.ones(4), corners + [2.0, 0, 0])
        >>> (maps[0].round(6) + 0.0).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]
    """

    def __init__(self, edges: Int[NDArray, "E 2"], size: int) -> None:
        self._degree = np.bincount(edges.reshape(-1), minlength=size).astype(np.float64)
        self._factors = BlockCholesky(edges, size)

    def solve(
        self,
        stiffness: Float[NDArray, " 4"],
        points: Float[NDArray, "N 4"],
        weights: Float[NDArray, " N"],
        weighted_targets: Float[NDArray, "N 3"],
    ) -> Float[NDArray, "N 4 3"]:
        """Find the affine maps.

        Args:
            stiffness: (4,) squared diagonal of G.
            points: (N, 4) homogeneous x_i.
            weights: (N,) w_i.
            weighted_targets: (N, 3) sum of w_i y_i over the terms of each vertex.

        Raises:
            MGCError: if the system is singular.
        """
        blocks = (weights[:, None] * points)[:, :, None] * points[:, None, :]
        blocks[:, _AXES, _AXES] += self._degree[:, None] * stiffness
        positive = self._factors.factor(blocks, -stiffness)
        maps = self._factors.solve(points[:, :, None] * weighted_targets[:, None, :]) if positive else np.nan
        if not np.isfinite(maps).all():
            raise MGCError("Non-rigid registration has no unique solution: does the scan region lie in one plane?")
        return np.asarray(maps)
