"""Build a bounding volume hierarchy over triangles, eight wide; `bvh` says how its arrays lie."""

from __future__ import annotations

import numpy as np
from numba import njit

WIDTH = 8


@njit(cache=True, nogil=True, error_model="numpy")
def _select(
    order: np.ndarray, low: np.ndarray, high: np.ndarray, axis: int, left: int, right: int, middle: int
) -> None:
    """Put the element of rank `middle` of `order[left..right]` in its place, by centres on an axis."""
    while left < right:
        face = order[(left + right) // 2]
        pivot = low[face, axis] + high[face, axis]
        i, j = left, right
        while i <= j:
            while low[order[i], axis] + high[order[i], axis] < pivot:
                i += 1
            while low[order[j], axis] + high[order[j], axis] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            right = j
        elif middle >= i:
            left = i
        else:
            return


@njit(cache=True, nogil=True, error_model="numpy")
def _halve(order: np.ndarray, low: np.ndarray, high: np.ndarray, first: int, last: int) -> int:
    """Split `order[first:last]` across the longest axis of its centres, near the median."""
    least = np.full(3, np.inf)
    most = np.full(3, -np.inf)
    for position in range(first, last):
        face = order[position]
        for axis in range(3):
            centre = low[face, axis] + high[face, axis]
            least[axis] = min(least[axis], centre)
            most[axis] = max(most[axis], centre)
    half = (last - first) // 2
    middle = first + max(WIDTH, (half + WIDTH // 2) // WIDTH * WIDTH)
    _select(order, low, high, int(np.argmax(most - least)), first, last - 1, middle)
    return middle


@njit(cache=True, nogil=True, error_model="numpy")
def build(
    low: np.ndarray, high: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Build the tree by median splits, three halvings a node.

    Args:
        low: (F, 3) lower bounds of the triangles, F > 0.
        high: (F, 3) upper bounds.
        order: (F,) int32 permutation, sorted in place into the tree's order.

    Returns:
        boxes (M, 6, 8), children (M, 8), and first places in `order` and sizes of the leaves.
    """
    capacity = order.size // 2 + 8
    boxes = np.empty((capacity, 6, WIDTH))
    boxes[:, :3] = np.inf
    boxes[:, 3:] = -np.inf
    children = np.full((capacity, WIDTH), -1, np.int32)
    leaf_first = np.empty(capacity, np.int32)
    leaf_count = np.empty(capacity, np.int32)
    spans = np.empty((capacity, 2), np.int32)
    spans[0, 0], spans[0, 1] = 0, order.size
    parts = np.empty((WIDTH, 2), np.int32)
    nodes, leaves, node = 1, 0, 0
    while node < nodes:
        parts[0, 0], parts[0, 1] = spans[node, 0], spans[node, 1]
        number = 1
        while number < WIDTH:
            widest = np.argmax(parts[:number, 1] - parts[:number, 0])
            first, last = parts[widest, 0], parts[widest, 1]
            if last - first <= WIDTH:
                break
            middle = _halve(order, low, high, first, last)
            parts[widest, 1] = middle
            parts[number, 0], parts[number, 1] = middle, last
            number += 1
        for place in range(number):
            first, last = parts[place, 0], parts[place, 1]
            for position in range(first, last):
                for axis in range(3):
                    face = order[position]
                    boxes[node, axis, place] = min(boxes[node, axis, place], low[face, axis])
                    boxes[node, 3 + axis, place] = max(boxes[node, 3 + axis, place], high[face, axis])
            if last - first <= WIDTH:
                leaf_first[leaves] = first
                leaf_count[leaves] = last - first
                children[node, place] = ~leaves
                leaves += 1
            else:
                spans[nodes, 0], spans[nodes, 1] = first, last
                children[node, place] = nodes
                nodes += 1
        node += 1
    return (
        boxes[:nodes].copy(),
        children[:nodes].copy(),
        leaf_first[:leaves].copy(),
        leaf_count[:leaves].copy(),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def pack(
    corners: np.ndarray, order: np.ndarray, leaf_first: np.ndarray, leaf_count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the triangles (F, 3, 3) leaf by leaf: `triangles` (L, 12, 8) and `faces` (L, 8)."""
    triangles = np.empty((leaf_first.size, 12, WIDTH))
    faces = np.empty((leaf_first.size, WIDTH), np.int32)
    for leaf in range(leaf_first.size):
        for place in range(WIDTH):
            face = order[leaf_first[leaf] + min(place, leaf_count[leaf] - 1)]
            faces[leaf, place] = face
            uu, ww, ee = 0.0, 0.0, 0.0
            for axis in range(3):
                a = corners[face, 0, axis]
                u, w = corners[face, 1, axis] - a, corners[face, 2, axis] - a
                triangles[leaf, axis, place] = a
                triangles[leaf, 3 + axis, place] = u
                triangles[leaf, 6 + axis, place] = w
                uu += u * u
                ww += w * w
                ee += (w - u) * (w - u)
            triangles[leaf, 9, place] = 1.0 / uu
            triangles[leaf, 10, place] = 1.0 / ww
            triangles[leaf, 11, place] = 1.0 / ee
    return triangles, faces


@njit(cache=True, nogil=True, error_model="numpy")
def flat_faces(corners: np.ndarray, flat: float) -> np.ndarray:
    """Mark triangles (F, 3, 3) whose height is at most `flat` times their longest edge: equal or collinear corners."""
    marked = np.empty(corners.shape[0], np.bool_)
    for face in range(corners.shape[0]):
        a, b, c = corners[face, 0], corners[face, 1], corners[face, 2]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        ex, ey, ez = wx - ux, wy - uy, wz - uz
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        longest = max(ux * ux + uy * uy + uz * uz, wx * wx + wy * wy + wz * wz, ex * ex + ey * ey + ez * ez)
        marked[face] = np.sqrt(nx * nx + ny * ny + nz * nz) <= flat * longest
    return marked
