"""Non-rigid ICP of REALY: the scan region is deformed onto the prediction (optimal-step, Amberg et al. 2007)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.edges import unique_edges
from mgc_lightning.metrics.realy.stiff_system import StiffSystem

STIFFNESS = 50.0
GUIDED_STIFFNESS = 150.0
GUIDED_G = np.array([2.0, 2.0, 3.0, 2.0])
"""Stiffness of the map's four rows in the keypoint stage; the third differs in the official program too."""
KEYPOINT_WEIGHT = 50.0
MAX_STAGE_SOLVES = 11
GIVE_UP = 1000
"""Solves of one stage without a cap (the cheek's) after which the official program would probably run for ever."""
OUTLIER_DISTANCE = 1.0
"""Correspondences nearer than this always count, model units."""


@dataclass(frozen=True)
class Deformation:
    """Hold the deformed region (N, 3), model units, and the number of linear systems solved."""

    verts: Float[NDArray, "N 3"]
    solves: int


@dataclass(frozen=True)
class Stage:
    """Hold one step of the schedule: its stiffness alpha, its stop on the change of the maps, its cap."""

    stiffness: float
    tolerance: float
    max_solves: int | None


def surface_stages(capped: bool) -> Iterator[Stage]:
    """Yield the three stages with a surface term: alpha 50, 30.3, 18.4; stops 1, .5, .25.

    Example:
        >>> [(round(float(stage.stiffness), 1), stage.tolerance) for stage in surface_stages(capped=True)]
        [(50.0, 1.0), (30.3, 0.5), (18.4, 0.25)]
    """
    for step in range(3):
        yield Stage(STIFFNESS * np.exp(-0.5 * step), 0.5**step, MAX_STAGE_SOLVES if capped else None)


def deform_region(
    verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
    targets: Float[NDArray, "N 3"],
    keypoint_index: Int[NDArray, " K"] | None = None,
    keypoint_targets: Float[NDArray, "K 3"] | None = None,
) -> Deformation:
    """Deform a cleaned scan region toward the set of target points.

    With keypoints a first solve follows them alone; then their weight fades with the number of solves.
    Each solve takes the points as the last one left them, so that stiffness resists the increment only.

    Args:
        verts: (N, 3) float64, model units.
        faces: (F, 3).
        targets: (N, 3) points on the prediction; searched as a set, not by index.
        keypoint_index: (K,) vertices that carry a keypoint; where one repeats, its last target counts.
        keypoint_targets: (K, 3).

    Raises:
        MGCError: if a piece of the region has too few keypoints, or a system is singular.

    Example:
        A piece of a scan, and targets that lie a quarter of a unit in front of it.

        >>> grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2)
        >>> verts = np.column_stack([grid, 0.1 * (grid**2).sum(1)])
        >>> corners = np.array([row * 5 + column for row in range(4) for column in range(4)])
        >>> quads = corners[:, None] + [[0, 1, 6, 0, 6, 5]]
        >>> found = deform_region(verts, quads.reshape(-1, 3), verts + [0.0, 0.0, 0.25])
        >>> (found.verts - verts).mean(0).round(2).tolist()
        [0.0, 0.0, 0.25]
    """
    registration = _Registration(verts, faces, targets)
    if keypoint_index is not None and keypoint_targets is not None:
        registration.set_keypoints(keypoint_index, keypoint_targets)
        registration.follow_keypoints()
    for stage in surface_stages(capped=keypoint_index is not None):
        registration.run(stage)
    return Deformation(registration.verts, registration.solves)


class _Registration:
    """Carry the state of one registration: the points, the last two sets of maps, the count of solves."""

    def __init__(
        self, verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"], targets: Float[NDArray, "N 3"]
    ) -> None:
        self.verts = verts
        self.solves = 0
        self._targets = targets
        self._tree = cKDTree(targets)
        self._edges = unique_edges(faces)
        self._system = StiffSystem(self._edges, len(verts))
        self._maps = np.ones((len(verts), 4, 3))
        self._previous = np.zeros_like(self._maps)
        self._is_keypoint = np.zeros(len(verts))
        self._keypoint_targets = np.zeros_like(targets)

    def set_keypoints(self, index: Int[NDArray, " K"], targets: Float[NDArray, "K 3"]) -> None:
        _check_keypoints(self.verts, self._edges, index)
        self._is_keypoint[index] = 1.0
        for vertex, target in zip(index, targets, strict=True):
            self._keypoint_targets[vertex] = target

    def follow_keypoints(self) -> None:
        weights = KEYPOINT_WEIGHT**2 * self._is_keypoint
        self._solve(GUIDED_STIFFNESS * GUIDED_G, weights, weights[:, None] * self._keypoint_targets)

    def run(self, stage: Stage) -> None:
        """Solve until the maps settle; the test comes before each solve, so a stage may do nothing."""
        done = 0
        while np.linalg.norm(self._maps - self._previous) > stage.tolerance and done != stage.max_solves:
            weights, weighted_targets = self._surface_term()
            fading = (KEYPOINT_WEIGHT / 10 * np.exp(-0.9 * self.solves)) ** 2 * self._is_keypoint
            weighted_targets = weighted_targets + fading[:, None] * self._keypoint_targets
            self._solve(np.full(4, stage.stiffness), weights + fading, weighted_targets)
            done += 1
            if done == GIVE_UP:
                raise MGCError(f"registration does not settle: {GIVE_UP} solves without coming to rest")

    def _surface_term(self) -> tuple[Float[NDArray, " N"], Float[NDArray, "N 3"]]:
        distance, nearest = self._tree.query(self.verts)
        distance = distance.astype(np.float32)
        weights = (distance < max(distance.mean() * 2, OUTLIER_DISTANCE)).astype(np.float64)
        return weights, weights[:, None] * self._targets[nearest]

    def _solve(
        self, G: Float[NDArray, " 4"], weights: Float[NDArray, " N"], weighted_targets: Float[NDArray, "N 3"]
    ) -> None:
        # The official design matrix is float32.
        rounded = self.verts.astype(np.float32).astype(np.float64)
        points = np.concatenate([rounded, np.ones((len(rounded), 1))], axis=1)
        self._previous = self._maps
        self._maps = self._system.solve(G**2, points, weights, weighted_targets)
        self.verts = np.einsum("ni,nij->nj", points, self._maps)
        self.solves += 1


def _check_keypoints(verts: Float[NDArray, "N 3"], edges: Int[NDArray, "E 2"], index: Int[NDArray, " K"]) -> None:
    """Refuse regions that the keypoints alone do not hold: the first system would be singular."""
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(verts), len(verts)))
    pieces, piece = connected_components(graph, directed=False)
    for number in range(pieces):
        points = verts[np.unique(index[piece[index] == number])]
        if np.linalg.matrix_rank(points - points.mean(axis=0) if len(points) else points) < 3:
            raise MGCError(
                f"a piece of {np.sum(piece == number)} vertices (of {pieces} pieces) holds {len(points)} keypoints; "
                "the scan region must be one connected mesh with at least four keypoints that do not lie in one plane"
            )
