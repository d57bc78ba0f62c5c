import numpy as np
import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.closest_points import ClosestPoints

TRIANGLE = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def soup(rng, faces):
    centres = rng.normal(size=(faces, 1, 3)) * 10
    verts = (centres + rng.normal(size=(faces, 3, 3))).reshape(-1, 3)
    return verts, np.arange(3 * faces).reshape(-1, 3)


def brute_force(verts, faces, points):
    """Distances by a dense search over a clamped barycentric problem, independent of the kernels."""
    best = np.full(len(points), np.inf)
    for a, b, c in verts[faces]:
        u, w = b - a, c - a
        s, t = np.linalg.lstsq(np.stack([u, w], 1), (points - a).T, rcond=None)[0]
        inside = (s >= 0) & (t >= 0) & (s + t <= 1)
        plane = np.linalg.norm(points - a - s[:, None] * u - t[:, None] * w, axis=1)
        distance = np.where(inside, plane, np.inf)
        for p, q in ((a, b), (b, c), (c, a)):
            along = np.clip((points - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
            distance = np.minimum(distance, np.linalg.norm(points - p - along[:, None] * (q - p), axis=1))
        best = np.minimum(best, distance)
    return best


@pytest.mark.parametrize(
    ("point", "distance", "closest"),
    [
        ([0.2, 0.2, 5.0], 5.0, [0.2, 0.2, 0.0]),
        ([-3.0, -4.0, 0.0], 5.0, [0.0, 0.0, 0.0]),
        ([4.0, 0.0, 0.0], 2.0, [2.0, 0.0, 0.0]),
        ([0.0, 3.0, 0.0], 2.0, [0.0, 1.0, 0.0]),
        ([1.0, -1.0, 0.0], 1.0, [1.0, 0.0, 0.0]),
        ([-1.0, 0.5, 0.0], 1.0, [0.0, 0.5, 0.0]),
        ([2.0, 2.5, 0.0], np.sqrt(5), [1.0, 0.5, 0.0]),
        ([0.0, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
    ],
)
def test_regions_of_a_triangle(point, distance, closest):
    result = ClosestPoints(TRIANGLE, [[0, 1, 2]]).query([point])
    np.testing.assert_allclose(result.distances, [distance], atol=1e-12)
    np.testing.assert_allclose(result.points, [closest], atol=1e-12)


@pytest.mark.parametrize("faces", [1, 7, 8, 9, 65, 500])
def test_equals_brute_force(faces):
    rng = np.random.default_rng(faces)
    verts, triangles = soup(rng, faces)
    points = rng.normal(size=(200, 3)) * 12
    mesh = ClosestPoints(verts, triangles)
    distances, face_index, closest = mesh.query(points)
    np.testing.assert_allclose(distances, brute_force(verts, triangles, points), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(points - closest, axis=1), distances, atol=1e-10)
    # The closest point lies on the face that is named.
    for i in range(0, 200, 20):
        alone = ClosestPoints(verts, triangles[face_index[i : i + 1]])
        assert alone.query(closest[i : i + 1]).distances[0] < 1e-10
    again = mesh.query(points + 0.3, guess=face_index)
    np.testing.assert_allclose(again.distances, mesh.query(points + 0.3).distances, atol=1e-12)


def test_far_from_the_origin_and_slivers():
    rng = np.random.default_rng(0)
    verts, triangles = soup(rng, 100)
    points = rng.normal(size=(100, 3)) * 12
    near = ClosestPoints(verts, triangles).query(points).distances
    far = ClosestPoints(verts + 1600.0, triangles).query(points + 1600.0).distances
    np.testing.assert_allclose(far, near, atol=1e-11)
    sliver = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [5.0, 1e-7, 0.0]])
    result = ClosestPoints(sliver, [[0, 1, 2]]).query([[3.0, 2.0, 0.0], [4.0, 1e-9, 1.0]])
    np.testing.assert_allclose(result.distances, [2.0, 1.0], atol=1e-7)


def test_faces_without_an_area_are_left_out():
    verts = np.concatenate([TRIANGLE, [[9.0, 9.0, 9.0], [9.0, 9.0, 9.0], [10.0, 9.0, 9.0], [11.0, 9.0, 9.0]]])
    faces = [[3, 3, 5], [0, 1, 2], [3, 4, 5], [3, 5, 6]]
    mesh = ClosestPoints(verts, faces)
    assert mesh.dropped == 3
    result = mesh.query([[9.0, 9.0, 9.0], [0.1, 0.1, 1.0]])
    assert result.face_index.tolist() == [1, 1]
    assert result.distances[0] > 10
    assert result.distances[1] == 1


@pytest.mark.parametrize(
    ("verts", "faces", "message"),
    [
        (TRIANGLE, np.zeros((0, 3), int), r"n > 0"),
        (TRIANGLE, [[0, 1, 3]], r"0\.\.2"),
        (TRIANGLE, [[0, 1, 1]], r"none with an area"),
        (TRIANGLE * np.nan, [[0, 1, 2]], r"NaN"),
        (TRIANGLE[:, :2], [[0, 1, 2]], r"\(n, 3\)"),
    ],
)
def test_bad_meshes(verts, faces, message):
    with pytest.raises(MGCError, match=message):
        ClosestPoints(verts, faces)


def test_bad_points():
    with pytest.raises(MGCError, match="row 1"):
        ClosestPoints(TRIANGLE, [[0, 1, 2]]).query([[0, 0, 0], [np.nan, 0, 0]])


def test_no_points():
    assert ClosestPoints(TRIANGLE, [[0, 1, 2]]).query(np.zeros((0, 3))).distances.shape == (0,)
