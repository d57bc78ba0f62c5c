"""Lines on triangle meshes: paths of edges, points on them, and points at equal distances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from mgc_lightning.errors import MGCError


def all_edges(faces: np.ndarray) -> np.ndarray:
    """Give the edges (E, 2) of faces (F, 3), each once."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(ends, axis=1), axis=0)


def follow_edges(verts: np.ndarray, faces: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Give the vertices of the shortest path along edges through all `stops` (S,), in their order.

    Raises:
        MGCError: if two stops are not connected.
    """
    ends = all_edges(faces)
    lengths = np.linalg.norm(verts[ends[:, 0]] - verts[ends[:, 1]], axis=1)
    graph = coo_matrix((lengths, ends.T), shape=(len(verts), len(verts))).tocsr()
    path = [int(stops[0])]
    for start, goal in pairwise(stops):
        _, before = dijkstra(graph, directed=False, indices=int(start), return_predecessors=True)
        part = [int(goal)]
        while part[-1] != start:
            if before[part[-1]] < 0:
                raise MGCError(f"No edges lead from vertex {start} to {goal}")
            part.append(int(before[part[-1]]))
        path += part[-2::-1]
    return np.array(path)


def point_on_path(verts: np.ndarray, faces: np.ndarray, path: np.ndarray, x: float) -> tuple[np.ndarray, np.ndarray]:
    """Find where a path of edges first crosses a value of x: three vertices of a face there, and their weights.

    Raises:
        MGCError: if it does not.
    """
    along = verts[path, 0] - x
    # The path's own ends are on it, whatever rounding says.
    along[np.abs(along) < 1e-9] = 0.0
    crossing = np.flatnonzero(along[:-1] * along[1:] <= 0)
    if not len(crossing):
        raise MGCError(f"The path from vertex {path[0]} to {path[-1]} does not cross x = {x:.4g}")
    step = crossing[0]
    share = 0.0 if along[step] == 0 else along[step] / (along[step] - along[step + 1])
    return on_edge(faces, path[step], path[step + 1], share)


def cut(verts: np.ndarray, edges: np.ndarray, axis: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut edges by a plane across an axis: those that cross it (C, 2), and the shares (C,) of the way to the second."""
    ends = verts[edges, axis] - value
    crossing = ends[:, 0] * ends[:, 1] < 0
    return edges[crossing], ends[crossing, 0] / (ends[crossing, 0] - ends[crossing, 1])


def on_edge(faces: np.ndarray, first: int, second: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Give a point between two neighbours as three vertices of a face and their weights."""
    face = faces[((faces == first).any(axis=1) & (faces == second).any(axis=1)).argmax()]
    weights = np.where(face == first, 1 - share, np.where(face == second, share, 0.0))
    return face, weights


def equal_arcs(line: np.ndarray, count: int) -> np.ndarray:
    """Give `count` points at equal distances along the smooth curve through the points of a line (P, 3).

    Example:
        >>> equal_arcs(np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0], [6, 0, 0]]), 4)[:, 0].round(2).tolist()
        [0.0, 2.0, 4.0, 6.0]
    """
    parameter = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    dense = CubicSpline(parameter, line)(np.linspace(0, parameter[-1], 50 * count))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    places = np.linspace(0, length[-1], count)
    return np.stack([np.interp(places, length, axis) for axis in dense.T], axis=1)
