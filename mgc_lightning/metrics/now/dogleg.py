"""Powell's dog-leg for small least-squares problems, with conjugate gradients for the Gauss-Newton step.

NoW's refinement stops early, so its result depends on the way and not only on the minimum: radius rules, tolerances
and the inexact solver are part of the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numba import njit
from numpy.typing import NDArray

FIRST_RADIUS = 0.1
GOOD_GAIN, POOR_GAIN = 0.9, 0.05
GROWTH, SHRINKAGE = 2.5, 0.25
RELATIVE_DECREASE = 1e-4
TINY = 1e-15
MAX_ITERATIONS = 200
CG_TOLERANCE, CG_ITERATIONS = 1e-5, 2000

Vector = Float[NDArray, " P"]
Matrix = Float[NDArray, "P P"]


class LeastSquares(Protocol):
    """A sum of squared residuals d of P unknowns."""

    def cost(self, x: Vector) -> float:
        """Give |d(x)|^2."""

    def normal_equations(self) -> tuple[Matrix, Vector]:
        """Give J'J and -J'd at the last x that `cost` was asked for."""


@dataclass
class DoglegResult:
    """Hold the result of a minimisation.

    Attributes:
        x: the unknowns.
        cost: sum of squares at x.
        accepted: number of accepted steps.
        trace: (kind, radius before, length, accepted) of every step; kind is sd, dl or gn.
    """

    x: Vector
    cost: float
    accepted: int = 0
    trace: list[tuple[str, float, float, bool]] = field(default_factory=list)


def minimise(problem: LeastSquares, start: Vector) -> DoglegResult:
    """Minimise from `start`.

    Stops after an accepted step that lowers the cost by less than 1e-4 of it (the step is kept), at a step or radius
    of at most 1e-15 |x|, at a gradient below 1e-15, or after 200 accepted steps.

    Example:
        >>> class Offset:
        ...     def cost(self, x):
        ...         self.d = x - [3.0, 4.0]
        ...         return float(self.d @ self.d)
        ...
        ...     def normal_equations(self):
        ...         return np.eye(2), -self.d  # J^T J and -J^T d
        >>> minimise(Offset(), np.zeros(2)).x.round(6).tolist()
        [3.0, 4.0]
    """
    result = DoglegResult(np.asarray(start, dtype=np.float64), problem.cost(start))
    radius = FIRST_RADIUS
    for _ in range(MAX_ITERATIONS):
        A, g = problem.normal_equations()
        if np.abs(g).max() < TINY:
            break
        radius, again = _advance(problem, result, A, g, radius)
        if not again:
            break
    return result


def _advance(problem: LeastSquares, result: DoglegResult, A: Matrix, g: Vector, radius: float) -> tuple[float, bool]:
    """Try steps with shrinking radius until one is accepted; give the new radius and whether to go on."""
    steps = _Steps(A, g)
    while True:
        step, kind = steps.within(radius)
        length = float(np.linalg.norm(step))
        if length <= TINY * np.linalg.norm(result.x):
            return radius, False
        trial = result.x + step
        cost = problem.cost(trial)
        decrease = result.cost - cost
        gain = decrease / float(2 * g @ step - step @ A @ step) if decrease > 0 else decrease
        result.trace.append((kind, radius, length, gain > 0))
        converged = decrease / result.cost < RELATIVE_DECREASE if gain > 0 else False
        if gain > 0:
            result.x, result.cost = trial, cost
            result.accepted += 1
        if gain > GOOD_GAIN:
            radius = max(radius, GROWTH * length)
        elif gain < POOR_GAIN:
            radius *= SHRINKAGE
        if converged or radius <= TINY * np.linalg.norm(result.x):
            return radius, False
        if gain > 0:
            return radius, True


class _Steps:
    """The dog-leg path of one linearisation: to the Cauchy point, then to the Gauss-Newton point."""

    def __init__(self, A: Matrix, g: Vector) -> None:
        self.A, self.g = A, g
        self.cauchy = float(g @ g) / float(g @ A @ g) * g
        self.gauss_newton: Vector | None = None

    def within(self, radius: float) -> tuple[Vector, str]:
        """Give the farthest step of the path of length at most `radius`, and its kind."""
        sd = self.cauchy
        length = float(np.linalg.norm(sd))
        if length >= radius:
            return radius / length * sd, "sd"
        if self.gauss_newton is None:
            self.gauss_newton = conjugate_gradients(self.A, self.g)
        gn = self.gauss_newton
        if np.linalg.norm(gn) <= radius:
            return gn, "gn"
        rest = gn - sd
        under_root = float(rest @ rest) * radius**2 + float(gn @ sd) ** 2 - float(gn @ gn) * float(sd @ sd)
        beta = (radius**2 - float(sd @ sd)) / (float(rest @ sd) + np.sqrt(under_root))
        return sd + beta * rest, "dl"


@njit(cache=True, nogil=True)
def conjugate_gradients(A: Matrix, b: Vector) -> Vector:
    """Solve A x = b from 0 until the recurred residual is at most 1e-5 |b|, or for 2000 iterations.

    Near that tolerance rounding decides when it stops; plain loops make it the same on every machine.

    Example:
        >>> conjugate_gradients(np.diag([1.0, 4.0]), np.array([1.0, 2.0])).round(9).tolist()
        [1.0, 0.5]
    """
    size = b.size
    x, direction, image = np.zeros(size), np.zeros(size), np.zeros(size)
    residual = b.copy()
    goal2 = CG_TOLERANCE**2 * _dot(b, b)
    last = np.inf
    for _ in range(CG_ITERATIONS):
        squared = _dot(residual, residual)
        if squared <= goal2:
            break
        direction = residual + squared / last * direction
        for i in range(size):
            image[i] = _dot(A[i], direction)
        along = squared / _dot(direction, image)
        x = x + along * direction
        residual = residual - along * image
        last = squared
    return x


@njit(cache=True, nogil=True)
def _dot(a: Vector, b: Vector) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total
