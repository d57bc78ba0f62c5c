"""Smooth random fields on the skin: eigenfunctions of the head's cotangent Laplacian."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg


def cotangent_laplacian(verts: np.ndarray, faces: np.ndarray) -> tuple[scipy.sparse.csc_matrix, np.ndarray]:
    """Give the stiffness matrix (N, N), positive semi-definite, and the lumped masses (N,) (Pinkall & Polthier 1993).

    Args:
        verts: (N, 3).
        faces: (F, 3).
    """
    rows, columns, values = [], [], []
    for corner in range(3):
        i, j, k = (faces[:, (corner + step) % 3] for step in range(3))
        a, b = verts[j] - verts[i], verts[k] - verts[i]
        area = np.linalg.norm(np.cross(a, b), axis=1)
        cotangent = np.einsum("fc,fc->f", a, b) / np.maximum(area, 1e-9) / 2
        rows += [j, k, j, k]
        columns += [k, j, j, k]
        values += [-cotangent, -cotangent, cotangent, cotangent]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    stiffness = scipy.sparse.csc_matrix(entries, shape=(len(verts), len(verts)))
    a, b, c = (verts[faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return stiffness, np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=len(verts))


def laplacian_eigenfunctions(verts: np.ndarray, faces: np.ndarray, count: int = 16) -> np.ndarray:
    """Give the lowest non-constant eigenfunctions (count, N) with unit variance over the surface.

    Vertices without a triangle get 0. The solver starts from a fixed vector, and each sign makes the entry of the
    largest magnitude positive, so that a rebuild agrees.
    """
    used, compact = np.unique(faces, return_inverse=True)
    stiffness, mass = cotangent_laplacian(verts[used], compact.reshape(faces.shape))
    mass = mass / mass.sum()
    _, functions = scipy.sparse.linalg.eigsh(
        stiffness, k=count + 1, M=scipy.sparse.diags(mass, format="csc"), sigma=-1e-3, v0=np.ones(len(used))
    )
    functions = functions[:, 1:].T
    functions = functions / np.sqrt((functions**2) @ mass)[:, None]
    functions *= np.sign(functions[np.arange(count), np.abs(functions).argmax(axis=1)])[:, None]
    full = np.zeros((count, len(verts)))
    full[:, used] = functions
    return full
