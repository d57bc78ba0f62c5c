"""Faces without a person for the NoW tests: a bumpy cap with seven landmarks."""

import numpy as np

LANDMARKS = np.array(
    [[-45, 0, 0], [-15, 0, 0], [15, 0, 0], [45, 0, 0], [0, -50, 0], [-25, -80, 0], [25, -80, 0]], np.float64
)


def height(x, y):
    return (
        60
        - x**2 / 60
        - (y + 40) ** 2 / 90
        + 6 * np.sin(x / 11 + 1) * np.cos(y / 13)
        + 18 * np.exp(-(x**2 + (y + 35) ** 2) / 300)
    )


def cap(step=4.0, extent=110.0):
    """Give verts, faces and landmarks of a height field, mm."""
    axis = np.arange(-extent, extent + step / 2, step)
    x, y = np.meshgrid(axis, axis - 40, indexing="ij")
    verts = np.stack([x, y, height(x, y)], -1).reshape(-1, 3)
    grid = np.arange(len(axis) ** 2).reshape(len(axis), -1)
    a, b, c, d = (part.ravel() for part in (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    marks = LANDMARKS.copy()
    marks[:, 2] = height(marks[:, 0], marks[:, 1])
    return verts, faces, marks


def rotation(x, y, z):
    cx, cy, cz, sx, sy, sz = *np.cos([x, y, z]), *np.sin([x, y, z])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return rx @ ry @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
