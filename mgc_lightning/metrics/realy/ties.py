"""Which of two equally near triangles wins: the rule of trimesh, which the official REALY program uses.

If the squared distances of the two nearest triangles differ by less than 1e-8, and neither touches the point, the
triangle whose normal points more to the query wins, even if it is marginally farther. Registration follows nearest
neighbours, so a few such points can decide how many iterations it takes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy.typing import NDArray

from mgc_lightning.geometry import bvh

TIE = 1e-8
"""Squared distance, model units squared."""
ZERO = 1e-13
"""What trimesh takes for nothing."""


@njit(cache=True, nogil=True, error_model="numpy")
def settle_ties(
    boxes: Float[NDArray, "M 6 8"],
    children: Int[NDArray, "M 8"],
    triangles: Float[NDArray, "L 12 8"],
    slot_faces: Int[NDArray, "L 8"],
    points: Float[NDArray, "Q 3"],
    bounds2: Float[NDArray, " Q"],
    moved_points: Float[NDArray, "Q 3"],
    moved_verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
) -> tuple[Int[NDArray, " Q"], Float[NDArray, "Q 3"]]:
    """Find the winning face and its closest point among the faces near each point.

    Args:
        boxes: the tree of the resting mesh, see `geometry.bvh`.
        children: of the tree.
        triangles: of the tree.
        slot_faces: face of each place of the tree's leaves.
        points: queries in the frame of the resting mesh.
        bounds2: squared distance to the resting mesh within which faces are candidates.
        moved_points: the same queries in the frame of the moved mesh.
        moved_verts: vertices of the moved mesh, which decide.
        faces: vertex indices.
    """
    winners = np.empty(len(points), np.int64)
    closest = np.empty((len(points), 3))
    distances = np.empty(bvh.WIDTH)
    stack = np.empty(bvh.STACK, np.int32)
    near = np.empty((2, 3))
    candidate = np.empty(3)
    for i in range(len(points)):
        first, second = -1, -1
        best, next_best = np.inf, np.inf
        stack[0] = 0
        depth = 1
        while depth > 0:
            depth -= 1
            node = stack[depth]
            if node >= 0:
                bvh.child_distances(boxes, node, points[i, 0], points[i, 1], points[i, 2], distances)
                for k in range(bvh.WIDTH):
                    if distances[k] <= bounds2[i]:
                        stack[depth] = children[node, k]
                        depth += 1
                continue
            bvh.leaf_distances(triangles, ~node, points[i, 0], points[i, 1], points[i, 2], distances)
            for k in range(bvh.WIDTH):
                face = slot_faces[~node, k]
                if distances[k] > bounds2[i] or face in (first, second):
                    continue
                distance2 = closest_on_face(moved_verts, faces[face], moved_points[i], candidate)
                if distance2 < best:
                    second, next_best, near[1] = first, best, near[0]
                    first, best, near[0] = face, distance2, candidate
                elif distance2 < next_best:
                    second, next_best, near[1] = face, distance2, candidate
        tied = next_best - best < TIE and best > TIE
        if tied and _facing(moved_verts, faces[second], moved_points[i], near[1], next_best) > _facing(
            moved_verts, faces[first], moved_points[i], near[0], best
        ):
            winners[i], closest[i] = second, near[1]
        else:
            winners[i], closest[i] = first, near[0]
    return winners, closest


@njit(cache=True, nogil=True, error_model="numpy")
def _facing(verts: NDArray, corners: NDArray, point: NDArray, closest: NDArray, distance2: float) -> float:
    """Give the cosine between a face's normal and the way from its closest point to the query."""
    a, b, c = verts[corners[0]], verts[corners[1]], verts[corners[2]]
    u0, u1, u2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    w0, w1, w2 = c[0] - b[0], c[1] - b[1], c[2] - b[2]
    n0, n1, n2 = u1 * w2 - u2 * w1, u2 * w0 - u0 * w2, u0 * w1 - u1 * w0
    length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
    if length <= ZERO:
        return 0.0
    inverse, distance = 1.0 / length, np.sqrt(distance2)
    v0, v1, v2 = point[0] - closest[0], point[1] - closest[1], point[2] - closest[2]
    return n0 * inverse * (v0 / distance) + n1 * inverse * (v1 / distance) + n2 * inverse * (v2 / distance)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _dot(x0: float, x1: float, x2: float, y0: float, y1: float, y2: float) -> float:
    return x0 * y0 + x1 * y1 + x2 * y2


@njit(cache=True, nogil=True, error_model="numpy")
def closest_on_face(verts: NDArray, corners: NDArray, point: NDArray, closest: NDArray) -> float:
    """Fill `closest` with the closest point of a triangle; give the squared distance.

    The regions are those of Ericson, Real-Time Collision Detection, sec. 5.1.5. The order of operations and the
    tolerance are trimesh's, because a tie between two faces of one plane is decided by the last bit.
    """
    a, b, c = verts[corners[0]], verts[corners[1]], verts[corners[2]]
    u0, u1, u2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    w0, w1, w2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    p0, p1, p2 = point[0] - a[0], point[1] - a[1], point[2] - a[2]
    d1, d2 = _dot(u0, u1, u2, p0, p1, p2), _dot(w0, w1, w2, p0, p1, p2)
    p0, p1, p2 = point[0] - b[0], point[1] - b[1], point[2] - b[2]
    d3, d4 = _dot(u0, u1, u2, p0, p1, p2), _dot(w0, w1, w2, p0, p1, p2)
    p0, p1, p2 = point[0] - c[0], point[1] - c[1], point[2] - c[2]
    d5, d6 = _dot(u0, u1, u2, p0, p1, p2), _dot(w0, w1, w2, p0, p1, p2)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    on_bc = False
    if d1 < ZERO and d2 < ZERO:
        s, t = 0.0, 0.0
    elif d3 > -ZERO and d4 <= d3:
        on_bc, s, t = True, 0.0, 0.0
    elif vc < ZERO and d1 > -ZERO and d3 < ZERO:
        s, t = d1 / (d1 - d3), 0.0
    elif d6 > -ZERO and d5 <= d6:
        on_bc, s, t = True, 0.0, 1.0
    elif vb < ZERO and d2 > -ZERO and d6 < ZERO:
        s, t = 0.0, d2 / (d2 - d6)
    elif va < ZERO and d4 - d3 > -ZERO and d5 - d6 > -ZERO:
        on_bc, s, t = True, 0.0, (d4 - d3) / ((d4 - d3) + (d5 - d6))
    else:
        denominator = 1.0 / (va + vb + vc)
        s, t = vb * denominator, vc * denominator
    distance2 = 0.0
    for axis in range(3):
        if on_bc:
            closest[axis] = c[axis] if t == 1.0 else b[axis] + t * (c[axis] - b[axis])
        else:
            closest[axis] = a[axis] + s * (b[axis] - a[axis]) + t * (c[axis] - a[axis])
        distance2 += (point[axis] - closest[axis]) ** 2
    return distance2
