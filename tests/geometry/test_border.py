"""Regions lose what sticks out of their outer border, and nothing else."""

import numpy as np

from mgc_lightning.geometry.border import longest_border, smooth_border

SIDE = 12


def grid():
    index = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def region(rows, columns):
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[rows, columns] = True
    return inside


def test_a_tab_falls_and_the_straight_border_stays():
    inside = region(slice(2, 9), slice(2, 10))
    inside[9, 5:7] = True
    left = smooth_border(grid(), inside.ravel()).reshape(SIDE, SIDE)
    assert not left[9].any()
    assert left[8, 3:9].all()
    assert left[3:8, 2].all()


def test_holes_keep_their_shape():
    inside = region(slice(0, SIDE), slice(0, SIDE))
    inside[5:7, 5:7] = False
    inside[5, 5] = True  # a tooth into the hole
    np.testing.assert_array_equal(smooth_border(grid(), inside.ravel()), inside.ravel())


def test_the_longest_border_is_the_outer_one():
    inside = region(slice(0, SIDE), slice(0, SIDE))
    inside[5:7, 5:7] = False
    faces = grid()
    border = longest_border(faces[inside.ravel()[faces].all(1)])
    rows, columns = np.divmod(border, SIDE)
    assert ((rows % (SIDE - 1) == 0) | (columns % (SIDE - 1) == 0)).all()
    assert len(border) == 4 * (SIDE - 1)


def test_a_closed_surface_has_no_border():
    tetrahedron = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [0, 2, 3]])
    assert len(longest_border(tetrahedron)) == 0
    assert smooth_border(tetrahedron, np.ones(4, dtype=bool)).all()
