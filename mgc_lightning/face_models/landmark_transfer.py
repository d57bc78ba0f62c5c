"""Find iBUG's 68 landmarks on a face of another topology, from a few that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.model_data import FACE_MASK, FaceModelData
from mgc_lightning.geometry.closest_points import ClosestPoints, barycentric_weights

ITERATIONS = 12
KNOWN_WEIGHT = 30.0
RIDGE = 30.0
"""Weight of the prior beside one millimetre of every face vertex."""
FARTHEST = 15.0
"""Distance in mm beyond which a nearest point is no correspondence."""


@dataclass(frozen=True)
class FittedTemplate:
    """Hold a face model laid on another head: identity coefficients (I,), and the similarity to the other's frame."""

    identity: np.ndarray
    transform: tuple[float, np.ndarray, np.ndarray]

    def place(self, mean: np.ndarray, identity_basis: np.ndarray) -> np.ndarray:
        """Give the template's points in the other head's frame: mean (N, 3), basis (I, N, 3), at any level."""
        return _apply(self.transform, mean + np.tensordot(self.identity, identity_basis.astype(np.float64), axes=1))


def fit_template(
    verts: np.ndarray, known: Mapping[int, np.ndarray], template: FaceModelData, skin: np.ndarray | None = None
) -> FittedTemplate:
    """Fit the template's identity to a neutral head of another topology.

    The template is laid on the known landmarks by a similarity and then, in turns, its identity coefficients and
    the similarity are fitted to the nearest vertices (a linear, ridge-regularised ICP).

    Args:
        verts: (N, 3) mm, a neutral face in the model frame.
        known: positions of some landmarks, by iBUG index (0-based); at least four, not on a line.
        template: a face model with landmarks; its coarsest level is used.
        skin: (N,) vertices that the template may follow, all where None.

    Raises:
        MGCError: if too few landmarks are known.
    """
    if len(known) < 4:
        raise MGCError(f"Landmarks can be transferred from at least 4 known ones, got {len(known)}")
    allowed = np.arange(len(verts)) if skin is None else np.flatnonzero(skin)
    tree = cKDTree(verts[allowed])
    selector, coarse = _landmark_rows(template), template.mean.astype(np.float64)
    basis = template.identity_basis.astype(np.float64)
    face = template.region(FACE_MASK)[template.attribute_index(0)]
    order = sorted(known)
    points = np.stack([np.asarray(known[index], dtype=np.float64) for index in order])

    known_rows = selector[order] @ coarse
    known_columns = np.tensordot(basis, selector[order], axes=(1, 1)).transpose(0, 2, 1)
    face_columns = basis[:, face]

    shape, coefficients = coarse, np.zeros(len(basis))
    transform = similarity(selector[order] @ shape, points)
    for _ in range(ITERATIONS):
        placed = _apply(transform, shape[face])
        distance, nearest = tree.query(placed)
        near = distance < FARTHEST
        goals = np.concatenate([_undo(transform, verts[allowed][nearest[near]]), _undo(transform, points)])
        rows = np.concatenate([coarse[face][near], known_rows])
        columns = np.concatenate([face_columns[:, near], known_columns], axis=1)
        weight = np.concatenate([np.ones(near.sum()), np.full(len(order), KNOWN_WEIGHT)])
        coefficients = _ridge(columns, goals - rows, weight)
        shape = coarse + np.tensordot(coefficients, basis, axes=1)
        sources = np.concatenate([shape[face][near], np.repeat(selector[order] @ shape, 10, axis=0)])
        targets = np.concatenate([verts[allowed][nearest[near]], np.repeat(points, 10, axis=0)])
        transform = similarity(sources, targets)
    return FittedTemplate(coefficients, transform)


def transfer_landmarks(
    verts: np.ndarray,
    faces: np.ndarray,
    known: Mapping[int, np.ndarray],
    template: FaceModelData,
    skin: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the template's identity to a mesh and read its landmarks there, on triangles.

    Args:
        verts: (N, 3) mm, a neutral face in the model frame.
        faces: (F, 3) triangles.
        known: positions of some landmarks, by iBUG index (0-based); at least four, not on a line.
        template: a face model with landmarks; its coarsest level is used.
        skin: (N,) vertices whose triangles may hold landmarks, all where None.

    Returns:
        Three vertices (68, 3) and their weights (68, 3) of each landmark: the surface's point nearest to a known
        landmark, and for the others nearest to the template's.

    Raises:
        MGCError: if too few landmarks are known.

    Example:
        >>> from mgc_lightning.face_models import load_face_model_data
        >>> template = load_face_model_data()
        >>> faces = template.faces  # the mesh is the template's own, and 8 of its landmarks are known
        >>> landmarks = (template.subdivision @ template.mean)[template.landmarks68_index[:, 0]]
        >>> known = {number: landmarks[number] for number in (30, 33, 36, 39, 42, 45, 48, 54)}
        >>> index, weights = transfer_landmarks(template.mean, faces, known, template)
        >>> found = (template.mean[index] * weights[..., None]).sum(1)
        >>> bool(np.linalg.norm(found - landmarks, axis=1).mean() < 2.0)  # mm
        True
    """
    fitted = fit_template(verts, known, template, skin)
    positions = _landmark_rows(template) @ fitted.place(template.mean, template.identity_basis)
    for index, point in known.items():
        positions[index] = point
    return on_surface(positions, verts, faces if skin is None else faces[skin[faces].all(axis=1)])


def on_surface(points: np.ndarray, verts: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give three vertices (P, 3) and their weights (P, 3) of the surface's points nearest to `points` (P, 3).

    Example:
        >>> verts, faces = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]), np.array([[0, 1, 2]])
        >>> index, weights = on_surface(np.array([[1.0, 2.0, 9.0]]), verts, faces)
        >>> index.tolist(), weights.tolist()
        ([[0, 1, 2]], [[0.25, 0.25, 0.5]])
    """
    _, face_index, closest = ClosestPoints(verts, faces).query(points)
    triangles = faces[face_index]
    return triangles, barycentric_weights(closest, verts[triangles])


def _landmark_rows(template: FaceModelData) -> np.ndarray:
    """Express the landmarks as weights of the control mesh's vertices, (68, N0)."""
    rows = np.zeros((68, template.num_fine))
    weights = template.landmarks68_weights.astype(np.float64)
    np.add.at(rows, (np.arange(68)[:, None], template.landmarks68_index), weights)
    return rows if template.subdivision is None else np.asarray(rows @ template.subdivision)


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Fit target = s R source + t by least squares, without reflection (Umeyama 1991).

    Example:
        >>> corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> s, R, t = similarity(corner, 10 * corner + 5)
        >>> round(s, 6), t.round(6).tolist()
        (10.0, [5.0, 5.0, 5.0])
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    U, D, Vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * signs) @ Vt
    s = float((D * signs).sum() / (a**2).sum())
    return s, R, target.mean(axis=0) - s * R @ source.mean(axis=0)


def _apply(transform: tuple[float, np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
    s, R, t = transform
    return s * points @ R.T + t


def _undo(transform: tuple[float, np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
    s, R, t = transform
    return (points - t) @ R / s


def _ridge(columns: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    matrix = columns.reshape(len(columns), -1).T
    scale = np.repeat(weight, 3)
    normal = (matrix.T * scale) @ matrix + RIDGE * np.eye(len(columns))
    return np.linalg.solve(normal, (matrix.T * scale) @ residual.ravel())
