"""Refinement of an aligned prediction: the similarity that minimises the squared scan-to-mesh distances (NoW)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numba import njit
from numpy.typing import NDArray

from mgc_lightning.geometry import bvh
from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.metrics.now.dogleg import DoglegResult, minimise

BLOCK = 64


@dataclass(frozen=True)
class Refinement:
    """Hold p -> s R p + t for aligned predictions p, about the origin of the scan's frame, and what remains.

    Attributes:
        s: scale, 1 in the metrical benchmark.
        R: (3, 3).
        t: (3,) mm.
        distances: (N,) mm, from every scan point to the moved prediction.
        solver: steps and cost of the minimisation.
    """

    s: float
    R: Float[NDArray, "3 3"]
    t: Float[NDArray, " 3"]
    distances: Float[NDArray, " N"]
    solver: DoglegResult


class ScanToMesh:
    """Give the squared scan-to-mesh distances of a moved mesh as a least-squares problem.

    The unknowns are (s, r, t), or (r, t) with `scale` False; r is a rotation vector. The mesh rests: scan points are
    moved by the inverse into its frame, so that one tree serves all evaluations, and each search starts at the
    triangle found last.

    Args:
        mesh: the aligned prediction.
        points: (N, 3) mm, the scan's points.
        scale: whether the scale is free.
    """

    def __init__(self, mesh: ClosestPoints, points: Float[NDArray, "N 3"], scale: bool = True) -> None:
        self.mesh, self.points, self.scale = mesh, points, scale
        self.slots = np.full(len(points), -1, np.int32)
        self.offsets, self.closest = np.empty((2, *points.shape))
        self.distances = np.empty(len(points))

    @property
    def start(self) -> Float[NDArray, " P"]:
        """The unknowns that leave the mesh where it is."""
        return np.eye(1, 7)[0] if self.scale else np.zeros(6)

    def split(self, x: Float[NDArray, " P"]) -> tuple[float, NDArray, NDArray]:
        """Split the unknowns into s, r, t."""
        return (float(x[0]), x[1:4], x[4:]) if self.scale else (1.0, x[:3], x[3:])

    def cost(self, x: Float[NDArray, " P"]) -> float:
        """Give the sum of squared distances, and the penalty (100 (|s| - s))^2 of a negative scale."""
        s, r, t = self.split(x)
        self.x, self.R = x, rodrigues(r)
        tree = (self.mesh.boxes, self.mesh.children, self.mesh.triangles)
        squares = _evaluate(*tree, self.points, s, self.R, t, self.slots, self.offsets, self.closest, self.distances)
        return float(squares) + (100 * (abs(s) - s)) ** 2

    def normal_equations(self) -> tuple[NDArray, NDArray]:
        """Give J'J and -J'd at the last x, the closest surface points held to the mesh."""
        s, r, _ = self.split(self.x)
        A, g = _accumulate(self.offsets, self.closest, self.distances, s, self.R, rodrigues_derivative(r))
        if s <= 0:
            slope = 100 * (np.sign(s) - 1)
            A[0, 0] += slope**2
            g[0] -= slope * 100 * (abs(s) - s)
        return (A, g) if self.scale else (A[1:, 1:], g[1:])


def refine(mesh: ClosestPoints, points: Float[NDArray, "N 3"], scale: bool = True) -> Refinement:
    """Refine the place of an aligned prediction.

    Args:
        mesh: the aligned prediction, in the scan's frame.
        points: (N, 3) mm, the scan's points.
        scale: whether the scale is free (False in the metrical benchmark).

    Example:
        A scan, and a prediction that is 3 % too small and lies 2 mm too low.

        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> scan = model.mean[model.face_mask].double().numpy()
        >>> predicted = model.mean.double().numpy() / 1.03 - [0.0, 2.0, 0.0]
        >>> found = refine(ClosestPoints(predicted, model.faces.numpy()), scan[::100])
        >>> round(found.s, 2), bool(found.distances.max() < 0.1)
        (1.03, True)
    """
    problem = ScanToMesh(mesh, points, scale)
    solver = minimise(problem, problem.start)
    if solver.x is not problem.x:
        problem.cost(solver.x)
    s, _, t = problem.split(solver.x)
    return Refinement(s, problem.R, t, problem.distances, solver)


def rodrigues(r: Float[NDArray, " 3"]) -> Float[NDArray, "3 3"]:
    """Give the rotation matrix of a rotation vector (radians).

    Example:
        >>> rodrigues(np.array([0.0, 0.0, np.pi / 2])).round(6).tolist()
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle = float(np.linalg.norm(r))
    if angle < np.finfo(np.float64).eps:
        return np.eye(3)
    k = r / angle
    return np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * np.outer(k, k) + np.sin(angle) * _cross(k)


def rodrigues_derivative(r: Float[NDArray, " 3"]) -> Float[NDArray, "3 3 3"]:
    """Give dR/dr_i, index i first.

    Example:
        >>> (rodrigues_derivative(np.zeros(3))[2].round(3) + 0.0).tolist()  # a small turn about z
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    angle = float(np.linalg.norm(r))
    if angle < np.finfo(np.float64).eps:
        return np.stack([_cross(axis) for axis in np.eye(3)])
    k = r / angle
    c, s = np.cos(angle), np.sin(angle)
    outer = np.outer(k, k)
    derivative = np.empty((3, 3, 3))
    for i in range(3):
        dk = (np.eye(3)[i] - k[i] * k) / angle
        turn = -s * np.eye(3) + s * outer + c * _cross(k)
        derivative[i] = k[i] * turn + (1 - c) * (np.outer(dk, k) + np.outer(k, dk)) + s * _cross(dk)
    return derivative


def _cross(k: Float[NDArray, " 3"]) -> Float[NDArray, "3 3"]:
    return np.array([[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]])


@njit(cache=True, nogil=True, error_model="numpy")
def _evaluate(
    boxes: np.ndarray,
    children: np.ndarray,
    triangles: np.ndarray,
    points: np.ndarray,
    s: float,
    R: np.ndarray,
    t: np.ndarray,
    slots: np.ndarray,
    offsets: np.ndarray,
    closest: np.ndarray,
    distances: np.ndarray,
) -> float:
    """Query R'(q - t)/s for all points q; fill the arrays of `ScanToMesh` and give the sum of squares.

    Sums run over blocks in the order of the points: accurate, and the same bits on every machine.
    """
    scratch = np.empty(bvh.WIDTH)
    stack = np.empty(bvh.STACK, np.int32)
    bounds = np.empty(bvh.STACK)
    rest = np.empty(3)
    slot = 0
    total, block = 0.0, 0.0
    for i in range(points.shape[0]):
        if i % BLOCK == 0:
            total += block
            block = 0.0
        x, y, z = points[i, 0] - t[0], points[i, 1] - t[1], points[i, 2] - t[2]
        for a in range(3):
            rest[a] = (R[0, a] * x + R[1, a] * y + R[2, a] * z) / s
        guess = slots[i] if slots[i] >= 0 else slot
        slot, squared = bvh.nearest(boxes, children, triangles, rest, guess, closest[i], scratch, stack, bounds)
        slots[i] = slot
        distances[i] = abs(s) * np.sqrt(squared)
        block += distances[i] * distances[i]
        for a in range(3):
            offsets[i, a] = rest[a] - closest[i, a]
    return total + block


@njit(cache=True, nogil=True, error_model="numpy")
def _accumulate(
    offsets: np.ndarray, closest: np.ndarray, distances: np.ndarray, s: float, R: np.ndarray, dR: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum J'J (7, 7) and -J'd (7,) over all points; a point on the surface has a zero row.

    With the closest point c0 in the mesh's rest frame and the unit vector n from the moved surface to the scan point:
    dd/ds = -n.(R c0), dd/dr_k = -s n.(dR_k c0), dd/dt = -n.
    """
    A, g = np.zeros((7, 7)), np.zeros(7)
    block_A, block_g, row = np.zeros((7, 7)), np.zeros(7), np.empty(7)
    for first in range(0, distances.size, BLOCK):
        block_A[:] = 0.0
        block_g[:] = 0.0
        for i in range(first, min(first + BLOCK, distances.size)):
            d = distances[i]
            if d == 0.0:
                continue
            factor = s / d
            cx, cy, cz = closest[i, 0], closest[i, 1], closest[i, 2]
            row[:4] = 0.0
            for a in range(3):
                n = factor * (R[a, 0] * offsets[i, 0] + R[a, 1] * offsets[i, 1] + R[a, 2] * offsets[i, 2])
                row[0] -= n * (R[a, 0] * cx + R[a, 1] * cy + R[a, 2] * cz)
                for k in range(3):
                    row[1 + k] -= s * n * (dR[k, a, 0] * cx + dR[k, a, 1] * cy + dR[k, a, 2] * cz)
                row[4 + a] = -n
            for j in range(7):
                block_g[j] -= row[j] * d
                for k in range(7):
                    block_A[j, k] += row[j] * row[k]
        A += block_A
        g += block_g
    return A, g
