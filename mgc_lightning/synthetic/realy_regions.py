"""REALY's four regions, cut from the scan of a head by its landmarks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SMALLEST_PIECE = 50
"""Vertices of the smallest piece of a cheek that is kept."""


def cut_regions(
    verts: Float[NDArray, "S 3"], faces: Int[NDArray, "T 3"], landmarks68: Float[NDArray, "68 3"]
) -> dict[str, tuple[Float[NDArray, "_ 3"], Int[NDArray, "_ 3"]]]:
    """Cut a scan into nose, mouth, forehead and cheek; all but the cheek are one piece.

    Args:
        verts: (S, 3) mm.
        faces: (T, 3).
        landmarks68: (68, 3) mm.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> verts, points = model.mean.double().numpy(), model.landmarks68(model.mean).double().numpy()
        >>> regions = cut_regions(verts, model.faces.numpy(), points)
        >>> {name: len(faces) > 100 for name, (_, faces) in regions.items()}
        {'nose': True, 'mouth': True, 'forehead': True, 'cheek': True}
    """
    eyes = landmarks68[[36, 45]].mean(axis=0)
    width = float(np.linalg.norm(landmarks68[36] - landmarks68[45]))
    levels = [eyes[1], landmarks68[33, 1], landmarks68[[48, 54], 1].mean(), landmarks68[8, 1]]
    brow = landmarks68[17:27, 1].mean()
    level = np.interp(-verts[:, 1], -np.array(levels), [0.0, 1.0, 2.0, 3.0])
    across = np.abs(verts[:, 0] - eyes[0]) / width
    above = verts[:, 1] > levels[0]
    nose_half = np.interp(verts[:, 1], [levels[1], landmarks68[30, 1], landmarks68[27, 1]], [0.31, 0.31, 0.13])
    nose = (across < nose_half) & (level < 1.15) & (verts[:, 1] < landmarks68[27, 1] + 0.06 * width)
    mouth = (across < 0.36) & (level > 1.15) & (level < 2.4) & ~nose
    forehead = (above | (level < 0.3)) & (verts[:, 1] < brow + 0.38 * width) & (across < 0.66) & ~nose
    cheek = (level > 0.3) & (level < 2.4) & (across < 0.78) & ~nose & ~mouth
    return {
        "nose": _part(verts, faces, nose, one_piece=True),
        "mouth": _part(verts, faces, mouth, one_piece=True),
        "forehead": _part(verts, faces, forehead, one_piece=True),
        "cheek": _part(verts, faces, cheek, one_piece=False),
    }


def _part(
    verts: Float[NDArray, "S 3"], faces: Int[NDArray, "T 3"], keep: Bool[NDArray, " S"], one_piece: bool
) -> tuple[Float[NDArray, "R 3"], Int[NDArray, "Q 3"]]:
    """Keep the faces of the chosen vertices; of several pieces the largest, or those of some size."""
    faces = faces[keep[faces].all(axis=1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(verts), len(verts)))
    _, label = connected_components(graph, directed=False)
    size = np.bincount(label)
    wanted = size == size.max() if one_piece else size >= SMALLEST_PIECE
    faces = faces[wanted[label[faces[:, 0]]]]
    used, numbered = np.unique(faces, return_inverse=True)
    return verts[used], numbered.reshape(-1, 3)
