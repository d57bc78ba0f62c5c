"""The linear identity model: Procrustes alignment of sampled heads, then weighted principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class IdentityModel:
    """Hold the result of the analysis.

    Attributes:
        mean: (N, 3) mm.
        basis: (K, N, 3) mm per standard deviation.
        explained: (K,) cumulative share of the weighted variance.
        scale_std: standard deviation of the logarithm of the removed scale.
    """

    mean: np.ndarray
    basis: np.ndarray
    explained: np.ndarray
    scale_std: float


def vertex_areas(verts: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Give each vertex a third of the area of its triangles (N,)."""
    a, b, c = (verts[faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=len(verts))


def align_similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit s, R, t with s R source + t = target in the weighted least squares sense (Umeyama 1991).

    Args:
        source: (B, N, 3).
        target: (N, 3).
        weights: (N,).

    Returns:
        s (B,), R (B, 3, 3), t (B, 3).
    """
    share = (weights / weights.sum()).astype(source.dtype)
    centre, goal = np.einsum("n,bnc->bc", share, source), share @ target
    offset = source - centre[:, None]
    covariance = np.einsum("nc,n,bnd->bcd", target - goal, share, offset)
    left, stretch, right = np.linalg.svd(covariance.astype(np.float64))
    sign = np.ones_like(stretch)
    sign[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * sign[:, None]) @ right
    variance = np.einsum("n,bnc,bnc->b", share, offset, offset)
    scale = (stretch * sign).sum(axis=1) / variance
    translation = goal - scale[:, None] * np.einsum("bcd,bd->bc", rotation, centre)
    return scale, rotation, translation


def generalised_procrustes(
    heads: np.ndarray, reference: np.ndarray, weights: np.ndarray, rounds: int = 3
) -> tuple[np.ndarray, np.ndarray, float]:
    """Align heads by similarities to their common mean, which keeps the reference's axes (Gower 1975).

    Args:
        heads: (B, N, 3).
        reference: (N, 3) first target; sets orientation and origin.
        weights: (N,) of the vertices that are aligned.
        rounds: repetitions of align and average.

    Returns:
        aligned heads (B, N, 3) at the geometric mean size of the given ones, their mean (N, 3), and the
        standard deviation of the logarithm of the removed scale.
    """
    goal = float(np.exp(np.log(_sizes(heads, weights)).mean()))
    target = reference.astype(np.float64)
    for _ in range(rounds):
        scale, aligned = _align_all(heads, target, weights)
        target = _standardise(aligned.mean(axis=0, dtype=np.float64), reference, weights, goal)
    scale, aligned = _align_all(heads, target, weights)
    return aligned, aligned.mean(axis=0, dtype=np.float64), float(np.log(scale).std())


def _sizes(shapes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    share = weights / weights.sum()
    offset = shapes - np.einsum("n,bnc->bc", share, shapes)[:, None]
    return np.sqrt(np.einsum("n,bnc,bnc->b", share, offset, offset))


def _align_all(heads: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale, rotation, translation = align_similarity(heads, target, weights)
    matrix = (scale[:, None, None] * rotation).astype(heads.dtype)
    aligned = heads @ matrix.transpose(0, 2, 1) + translation[:, None].astype(heads.dtype)
    return scale, aligned


def _standardise(mean: np.ndarray, reference: np.ndarray, weights: np.ndarray, size: float) -> np.ndarray:
    """Turn a mean shape to the reference's axes and give it a size, about its own centre."""
    _, rotation, _ = align_similarity(mean[None], reference, weights)
    centre = weights @ mean / weights.sum()
    return (mean - centre) @ rotation[0].T * (size / _sizes(mean[None], weights)[0]) + centre


def principal_components(
    shapes: np.ndarray, mean: np.ndarray, weights: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give the leading directions of shapes under a weighted metric, scaled to one standard deviation.

    The sign of each direction makes its entry of the largest magnitude positive, so that a rebuild agrees.

    Args:
        shapes: (B, N, C).
        mean: (N, C).
        weights: (N,).
        count: number of directions.

    Returns:
        basis (count, N, C) and the cumulative share (count,) of the weighted variance.
    """
    offset = (shapes - mean).reshape(len(shapes), -1).astype(np.float64)
    metric = np.repeat(weights / weights.sum(), shapes.shape[-1])
    gram = (offset * metric) @ offset.T / (len(shapes) - 1)
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:count]
    # Scores have unit variance, so each direction is the regression of the shapes on a score.
    scores = vectors[:, order] * np.sqrt(len(shapes) - 1)
    basis = scores.T @ offset / (len(shapes) - 1)
    peak = basis[np.arange(count), np.abs(basis).argmax(axis=1)]
    basis *= np.sign(peak)[:, None]
    explained = np.cumsum(values[order]) / values.sum()
    return basis.reshape(count, *shapes.shape[1:]), explained
