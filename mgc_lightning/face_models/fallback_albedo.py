"""Albedo for models that come without one: constant skin, varied by smooth patterns."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh

SKIN = (0.76, 0.58, 0.49)
"""Display-space colour of the mean skin."""
OTHER = (0.85, 0.82, 0.80)
"""Colour of what is not skin (eyeballs, teeth, mouth cavity)."""
COLOUR_DIRECTIONS = ((0.10, 0.09, 0.08), (0.07, 0.08, 0.08), (0.05, -0.02, -0.02))
"""Colour change of one standard deviation of brightness, melanin and haemoglobin."""
PATTERN_SHARE = 0.15
"""Size of the smooth patterns beside the change of the whole face, which is 1; falls with their frequency."""
PATTERNS = 12


def fallback_albedo(
    verts: np.ndarray, faces: np.ndarray, skin: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make an albedo mean and basis for a mesh.

    The mean is one skin colour. The directions are the constant and the lowest non-constant eigenfunctions of the
    mesh's cotangent Laplacian (Vallet & Levy 2008), each in three colours: brightness, melanin, haemoglobin.
    They can fit skin tone and soft shading of colour, not brows or lips.

    Args:
        verts: (N, 3) mean face, mm.
        faces: (F, 3).
        skin: (N,) bool; other vertices get a fixed colour. All where None.

    Returns:
        Mean (N, 3) and basis (39, N, 3) per standard deviation, display-space RGB.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> mean, basis = fallback_albedo(model.mean.numpy(), model.faces.numpy())
        >>> mean[0].tolist(), basis.shape  # one skin colour; 13 patterns in each of three colours
        ([0.76, 0.58, 0.49], (39, 4032, 3))
    """
    skin = np.ones(len(verts), dtype=bool) if skin is None else skin
    patterns = smooth_patterns(verts, faces, skin)
    colours = np.array(COLOUR_DIRECTIONS)
    basis = (patterns[:, None, :, None] * colours[None, :, None, :]).reshape(-1, len(verts), 3)
    mean = np.where(skin[:, None], np.array(SKIN), np.array(OTHER))
    return mean, basis


def smooth_patterns(verts: np.ndarray, faces: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Give the constant and the smoothest patterns (P, N) over the skin, weighted by their shares.

    Patterns live on the largest connected piece; other skin keeps the constant.
    """
    piece = _largest_piece(faces, skin, len(verts))
    index = np.full(len(verts), -1)
    index[piece] = np.arange(piece.sum())
    inside = index[faces[piece[faces].all(axis=1)]]
    stiffness, mass = cotangent_laplacian(verts[piece], inside)
    count = min(PATTERNS + 1, len(mass) - 2)
    start = np.random.default_rng(0).standard_normal(len(mass))
    # Shift-invert just below zero: the smallest eigenvalues, of a regular matrix.
    shift = -1e-3 * stiffness.diagonal().mean() / mass.mean()
    _, vectors = eigsh(stiffness, count, scipy.sparse.diags(mass).tocsc(), sigma=shift, v0=start)
    patterns = np.zeros((count, len(verts)))
    patterns[0, skin] = 1.0
    for row, vector in enumerate(vectors.T[1:], start=1):
        sign = np.sign(vector[np.abs(vector).argmax()])
        scale = np.sqrt((mass * vector**2).sum() / mass.sum())
        patterns[row, piece] = PATTERN_SHARE * sign * vector / (scale * np.sqrt(row))
    return patterns


def cotangent_laplacian(verts: np.ndarray, faces: np.ndarray) -> tuple[scipy.sparse.csc_matrix, np.ndarray]:
    """Build the stiffness matrix (N, N), positive semi-definite, and the lumped mass (N,).

    Cotangents of slivers are bounded, and vertices without area get a little mass.

    Example:
        >>> verts = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> stiffness, mass = cotangent_laplacian(verts, np.array([[0, 1, 2], [0, 2, 3]]))
        >>> round(float(mass.sum()), 6)  # the area
        1.0
        >>> bool(abs(stiffness.sum(axis=1)).max() < 1e-9)  # constants have no curvature
        True
    """
    count = len(verts)
    stiffness = scipy.sparse.csc_matrix((count, count))
    area = np.zeros(len(faces))
    for corner in range(3):
        i, j, k = faces[:, corner], faces[:, (corner + 1) % 3], faces[:, (corner + 2) % 3]
        a, b = verts[j] - verts[i], verts[k] - verts[i]
        doubled = np.linalg.norm(np.cross(a, b), axis=1)
        weight = 0.5 * np.clip((a * b).sum(axis=1) / np.maximum(doubled, 1e-12), 0.01, 100.0)
        rows = np.concatenate([j, k, j, k])
        columns = np.concatenate([k, j, j, k])
        values = np.concatenate([-weight, -weight, weight, weight])
        stiffness = stiffness + scipy.sparse.csc_matrix((values, (rows, columns)), shape=(count, count))
        area = doubled / 2
    mass = np.bincount(faces.ravel(), weights=np.repeat(area / 3, 3), minlength=count)
    return stiffness, np.maximum(mass, 1e-3 * mass.mean())


def _largest_piece(faces: np.ndarray, skin: np.ndarray, count: int) -> np.ndarray:
    chosen = faces[skin[faces].all(axis=1)]
    edges = np.concatenate([chosen[:, [0, 1]], chosen[:, [1, 2]]])
    graph = scipy.sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    sizes = np.bincount(label[skin])
    return skin & (label == sizes.argmax())
