"""Bounding volume hierarchy over triangles, eight wide: numba kernels in float64 behind `closest_points`.

A node holds the boxes of up to eight children and a leaf up to eight triangles, the eight in the last axis,
so that the compiler tests all eight with vector instructions. Arrays of a tree:

    boxes     (M, 6, 8) low xyz and high xyz of each child; an empty place has low = inf
    children  (M, 8) int32: a node, or ~leaf where negative
    triangles (L, 12, 8) corner a, edges u = b - a and w = c - a, 1/|u|^2, 1/|w|^2, 1/|w - u|^2;
              short leaves repeat one
    faces     (L, 8) int32 index of each triangle in the mesh
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mgc_lightning.geometry.bvh_build import WIDTH

STACK = 256


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _clamp(value: float) -> float:
    value = 0.0 if value < 0.0 else value
    return 1.0 if value > 1.0 else value


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def leaf_distances(triangles: np.ndarray, leaf: int, x: float, y: float, z: float, out: np.ndarray) -> None:
    """Fill `out` (8,) with the squared distances of a point to the triangles of a leaf, free of branches.

    The distance is that to the plane where the three edge planes hold the point, else that to the nearest
    edge; products with the normal are taken without expansion, so that slivers stay accurate.
    """
    t = triangles[leaf]
    for k in range(out.shape[0]):
        px, py, pz = x - t[0, k], y - t[1, k], z - t[2, k]
        ux, uy, uz = t[3, k], t[4, k], t[5, k]
        wx, wy, wz = t[6, k], t[7, k], t[8, k]
        ex, ey, ez = wx - ux, wy - uy, wz - uz
        qx, qy, qz = px - ux, py - uy, pz - uz
        along_u = _clamp((ux * px + uy * py + uz * pz) * t[9, k])
        along_w = _clamp((wx * px + wy * py + wz * pz) * t[10, k])
        along_e = _clamp((ex * qx + ey * qy + ez * qz) * t[11, k])
        rx, ry, rz = px - along_u * ux, py - along_u * uy, pz - along_u * uz
        sx, sy, sz = px - along_w * wx, py - along_w * wy, pz - along_w * wz
        vx, vy, vz = qx - along_e * ex, qy - along_e * ey, qz - along_e * ez
        to_u = rx * rx + ry * ry + rz * rz
        to_w = sx * sx + sy * sy + sz * sz
        to_e = vx * vx + vy * vy + vz * vz
        edge = to_u if to_u < to_w else to_w
        edge = to_e if to_e < edge else edge
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        side_u = (uy * pz - uz * py) * nx + (uz * px - ux * pz) * ny + (ux * py - uy * px) * nz
        side_w = (py * wz - pz * wy) * nx + (pz * wx - px * wz) * ny + (px * wy - py * wx) * nz
        side_e = (ey * qz - ez * qy) * nx + (ez * qx - ex * qz) * ny + (ex * qy - ey * qx) * nz
        height = nx * px + ny * py + nz * pz
        plane = height * height / (nx * nx + ny * ny + nz * nz)
        least = side_u if side_u < side_w else side_w
        least = side_e if side_e < least else least
        out[k] = plane if least > 0.0 else edge


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def child_distances(boxes: np.ndarray, node: int, x: float, y: float, z: float, out: np.ndarray) -> None:
    """Fill `out` (8,) with the squared distances of a point to the boxes of a node's children."""
    b = boxes[node]
    for k in range(out.shape[0]):
        below_x, above_x = b[0, k] - x, x - b[3, k]
        below_y, above_y = b[1, k] - y, y - b[4, k]
        below_z, above_z = b[2, k] - z, z - b[5, k]
        dx = below_x if below_x > above_x else above_x
        dy = below_y if below_y > above_y else above_y
        dz = below_z if below_z > above_z else above_z
        dx = dx if dx > 0.0 else 0.0
        dy = dy if dy > 0.0 else 0.0
        dz = dz if dz > 0.0 else 0.0
        out[k] = dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True, error_model="numpy")
def closest_on_triangle(triangles: np.ndarray, leaf: int, place: int, point: np.ndarray, closest: np.ndarray) -> float:
    """Fill `closest` (3,) with the closest point of one triangle; give the squared distance."""
    t = triangles[leaf, :, place]
    px, py, pz = point[0] - t[0], point[1] - t[1], point[2] - t[2]
    ux, uy, uz, wx, wy, wz = t[3], t[4], t[5], t[6], t[7], t[8]
    ex, ey, ez = wx - ux, wy - uy, wz - uz
    qx, qy, qz = px - ux, py - uy, pz - uz
    nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    side_u = (uy * pz - uz * py) * nx + (uz * px - ux * pz) * ny + (ux * py - uy * px) * nz
    side_w = (py * wz - pz * wy) * nx + (pz * wx - px * wz) * ny + (px * wy - py * wx) * nz
    side_e = (ey * qz - ez * qy) * nx + (ez * qx - ex * qz) * ny + (ex * qy - ey * qx) * nz
    if side_u > 0.0 and side_w > 0.0 and side_e > 0.0:
        height = (nx * px + ny * py + nz * pz) / (nx * nx + ny * ny + nz * nz)
        dx, dy, dz = height * nx, height * ny, height * nz
    else:
        along = _clamp((ux * px + uy * py + uz * pz) * t[9])
        dx, dy, dz = px - along * ux, py - along * uy, pz - along * uz
        best = dx * dx + dy * dy + dz * dz
        along = _clamp((wx * px + wy * py + wz * pz) * t[10])
        rx, ry, rz = px - along * wx, py - along * wy, pz - along * wz
        if rx * rx + ry * ry + rz * rz < best:
            dx, dy, dz = rx, ry, rz
            best = rx * rx + ry * ry + rz * rz
        along = _clamp((ex * qx + ey * qy + ez * qz) * t[11])
        rx, ry, rz = qx - along * ex, qy - along * ey, qz - along * ez
        if rx * rx + ry * ry + rz * rz < best:
            dx, dy, dz = rx, ry, rz
    closest[0], closest[1], closest[2] = point[0] - dx, point[1] - dy, point[2] - dz
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True, error_model="numpy")
def nearest(
    boxes: np.ndarray,
    children: np.ndarray,
    triangles: np.ndarray,
    point: np.ndarray,
    slot: int,
    closest: np.ndarray,
    distances: np.ndarray,
    stack: np.ndarray,
    bounds: np.ndarray,
) -> tuple[int, float]:
    """Find the closest triangle, depth first, nearest child first, below the distance to a first guess.

    Args:
        boxes: (M, 6, 8) see above, as `children` and `triangles`.
        children: (M, 8).
        triangles: (L, 12, 8).
        point: (3,) the query.
        slot: 8 leaf + place of the triangle that gives the first bound (a neighbour's or the last answer).
        closest: (3,) filled with the closest point.
        distances: (8,) scratch.
        stack: (STACK,) int32 scratch.
        bounds: (STACK,) scratch.

    Returns:
        Slot of the closest triangle, and the squared distance.
    """
    x, y, z = point[0], point[1], point[2]
    best = closest_on_triangle(triangles, slot // WIDTH, slot % WIDTH, point, closest)
    best_slot = slot
    stack[0], bounds[0] = 0, 0.0
    depth = 1
    while depth > 0:
        depth -= 1
        if bounds[depth] >= best:
            continue
        node = stack[depth]
        if node < 0:
            leaf_distances(triangles, ~node, x, y, z, distances)
            for k in range(WIDTH):
                if distances[k] < best:
                    best = distances[k]
                    best_slot = WIDTH * ~node + k
            continue
        child_distances(boxes, node, x, y, z, distances)
        base = depth
        for k in range(WIDTH):
            if distances[k] < best:
                place = depth
                while place > base and bounds[place - 1] < distances[k]:
                    bounds[place], stack[place] = bounds[place - 1], stack[place - 1]
                    place -= 1
                bounds[place], stack[place] = distances[k], children[node, k]
                depth += 1
    if best_slot != slot:
        best = closest_on_triangle(triangles, best_slot // WIDTH, best_slot % WIDTH, point, closest)
    return best_slot, best


@njit(cache=True, nogil=True, error_model="numpy")
def query(
    boxes: np.ndarray, children: np.ndarray, triangles: np.ndarray, points: np.ndarray, slots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Query points (Q, 3) one after another.

    Args:
        boxes: (M, 6, 8) see above, as `children` and `triangles`.
        children: (M, 8).
        triangles: (L, 12, 8).
        points: (Q, 3).
        slots: (Q,) int32 first guesses, -1 for the answer of the point before; overwritten by the answers.

    Returns:
        Squared distances (Q,) and closest points (Q, 3).
    """
    distance2 = np.empty(points.shape[0])
    closest = np.empty((points.shape[0], 3))
    scratch = np.empty(WIDTH)
    stack = np.empty(STACK, np.int32)
    bounds = np.empty(STACK)
    slot = 0
    for i in range(points.shape[0]):
        guess = slots[i] if slots[i] >= 0 else slot
        slot, distance2[i] = nearest(boxes, children, triangles, points[i], guess, closest[i], scratch, stack, bounds)
        slots[i] = slot
    return distance2, closest
