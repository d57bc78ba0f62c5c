"""Edges of triangle meshes: directed, once each, and as a graph."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from numpy.typing import NDArray


def directed_edges(faces: Int[NDArray, "F 3"]) -> Int[NDArray, "E 2"]:
    """List the edges of all triangles as they go around them, 3 F.

    Example:
        >>> directed_edges(np.array([[0, 1, 2]])).tolist()
        [[0, 1], [1, 2], [2, 0]]
    """
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def unique_edges(faces: Int[NDArray, "F 3"]) -> Int[NDArray, "E 2"]:
    """List the undirected edges of a mesh once, lower index first; degenerate ones are left out.

    Example:
        >>> unique_edges(np.array([[0, 1, 2], [1, 2, 3]])).tolist()
        [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    edges = np.sort(directed_edges(faces), axis=1)
    return np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)


def adjacency(faces: Int[NDArray, "F 3"], count: int) -> sp.csr_matrix:
    """Give the symmetric graph (count, count) of the vertices: 1 where an edge runs, else 0.

    Example:
        >>> adjacency(np.array([[0, 1, 2]]), 4).toarray().sum(axis=1).tolist()
        [2.0, 2.0, 2.0, 0.0]
    """
    edges = unique_edges(faces)
    both = np.concatenate([edges, edges[:, ::-1]])
    return sp.csr_matrix((np.ones(len(both)), both.T), shape=(count, count))
