"""Borders of regions that are cut out of a mesh by its vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mgc_lightning.geometry.edges import directed_edges


def smooth_border(
    faces: Int[NDArray, "F 3"], inside: Bool[NDArray, " N"], rounds: int = 1, share: float = 0.4
) -> Bool[NDArray, " N"]:
    """Take tabs and teeth off the outer border of a region.

    A vertex of the longest border that has less than a share of its triangles inside sticks out: on a straight border
    it is half of them. Shorter borders, around eyes and mouth, stay.

    Args:
        faces: (F, 3) of the whole mesh.
        inside: (N,) the region; triangles belong to it with all their corners.
        rounds: rows of vertices that may fall.
        share: of a vertex's triangles.

    Returns:
        (N,) the smaller region.

    Example:
        >>> fan = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5], [0, 5, 6], [0, 6, 1]]
        >>> faces = np.array([*fan, [1, 7, 2], [1, 8, 7], [7, 8, 9], [7, 9, 2]])
        >>> inside = np.arange(10) < 8  # the fan, and one triangle that sticks out of it
        >>> np.flatnonzero(smooth_border(faces, inside)).tolist()
        [0, 1, 2, 3, 4, 5, 6]
    """
    inside = inside.copy()
    around = np.bincount(faces.ravel(), minlength=len(inside))
    for _ in range(rounds):
        region = faces[inside[faces].all(axis=1)]
        border = longest_border(region)
        mine = np.bincount(region.ravel(), minlength=len(inside))
        drop = border[mine[border] < share * around[border]]
        if not len(drop):
            break
        inside[drop] = False
    return inside


def longest_border(faces: Int[NDArray, "F 3"]) -> Int[NDArray, " V"]:
    """Give the vertices of the border with the most edges, of those that belong to one triangle alone.

    Example:
        >>> longest_border(np.array([[0, 1, 2], [1, 3, 2]])).tolist()
        [0, 1, 2, 3]
    """
    edges = np.sort(directed_edges(faces), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    edges = edges[count == 1]
    verts, ends = np.unique(edges, return_inverse=True)
    if not len(verts):
        return verts
    ends = ends.reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(verts), len(verts)))
    _, loop = connected_components(graph, directed=False)
    return verts[loop == np.bincount(loop[ends[:, 0]]).argmax()]
