"""The cleaning of scan regions: unreferenced vertices go, equal ones merge."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

MERGE_DIGITS = 8


def clean_region(
    verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"]
) -> tuple[Float[NDArray, "M 3"], Int[NDArray, "F 3"]]:
    """Drop vertices of no face and merge those equal after rounding to 1e-8, in order of first occurrence.

    Faces are kept, degenerate ones too (as trimesh's `process=True` does).

    Returns:
        verts (M, 3) float64, faces (F, 3) int64 into them.

    Example:
        >>> verts = np.array([[0, 0, 0], [9, 9, 9], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], np.float32)
        >>> kept, faces = clean_region(verts, np.array([[0, 2, 3], [3, 4, 5]]))
        >>> kept.shape, faces.tolist()
        ((4, 3), [[0, 1, 2], [2, 1, 3]])
    """
    verts = verts.astype(np.float64)
    referenced = np.zeros(len(verts), dtype=bool)
    referenced[faces] = True
    rows = np.flatnonzero(referenced)
    rounded = np.round(verts[rows] * 10**MERGE_DIGITS).astype(np.int64)
    _, first, group = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    index = np.zeros(len(verts), np.int64)
    index[rows] = rank[group.reshape(-1)]
    return verts[rows[first[order]]], index[faces]
