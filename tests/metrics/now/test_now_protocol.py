"""Each rule of the protocol, on shapes whose answer is known."""

import numpy as np
import pytest
from now_shapes import LANDMARKS, cap, rotation

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.now import crop_region, crop_scan, cumulative_curve, now_error, pool
from mgc_lightning.metrics.now.aggregate import thinned_curve
from mgc_lightning.metrics.now.landmarks import as_landmarks, order_problem, unit_problem
from mgc_lightning.metrics.now.procrustes import align_landmarks
from mgc_lightning.metrics.now.refine import rodrigues, rodrigues_derivative


@pytest.fixture(scope="module")
def face():
    return cap()


@pytest.fixture(scope="module")
def scan():
    verts, _, marks = cap(step=2.7)
    return crop_scan(verts, marks)


def test_crop_region():
    centre, radius = crop_region(LANDMARKS)
    np.testing.assert_allclose(centre, [0, -35, 0], atol=1e-5)
    assert radius == pytest.approx(1.4 * (90 + 50) / 2, rel=1e-6)


def test_crop_keeps_the_border_and_loose_vertices_in_order():
    centre, radius = crop_region(LANDMARKS)
    points = np.array([centre + [radius + 1e-3, 0, 0], centre + [0, radius, 0], centre, centre - [0, 0, 300]])
    cropped = crop_scan(points.astype(np.float64), LANDMARKS)
    assert cropped.index.tolist() == [1, 2]


def test_crop_works_on_float32_landmarks():
    far = LANDMARKS + [1400.0, 0.3, 1000.7]
    centre, _ = crop_region(far)
    assert centre.dtype == np.float32


def test_a_perfect_prediction_in_any_similar_frame_has_no_error(face, scan):
    verts, faces, marks = face
    fine_verts, fine_faces, fine_marks = cap(step=2.7)
    turn = rotation(0.4, -1.1, 0.3)
    error = now_error(scan, 0.01 * fine_verts @ turn.T + 3, fine_faces, 0.01 * fine_marks @ turn.T + 3)
    assert np.abs(error.distances).max() < 1e-4
    assert not error.alignment.reflected
    coarse = now_error(scan, verts, faces, marks)
    assert 0.005 < np.median(coarse.distances) < 0.3


def test_refinement_mends_bad_landmarks(face, scan):
    verts, faces, marks = face
    moved = marks + np.random.default_rng(0).normal(size=(7, 3)) * 3
    good, bad = now_error(scan, verts, faces, marks), now_error(scan, verts, faces, moved)
    assert bad.refinement.solver.cost < 2 * good.refinement.solver.cost
    assert bad.refinement.solver.accepted > 3


def test_the_first_step_is_short_and_the_region_grows(face, scan):
    verts, faces, marks = face
    trace = now_error(scan, verts, faces, marks + [3.0, -2, 1] * LANDMARKS / 50).refinement.solver.trace
    assert trace[0][1] == 0.1
    assert trace[0][2] == pytest.approx(0.1)
    assert trace[1][1] == pytest.approx(0.25)


def test_it_stops_early(face, scan):
    """An accepted step that gains less than 1e-4 is the last one, and is kept."""
    verts, faces, marks = face
    solver = now_error(scan, verts, faces, marks).refinement.solver
    assert solver.accepted < 20
    assert solver.trace[-1][3]


def test_reflection_is_allowed_and_reported(face, scan):
    verts, faces, marks = face
    swapped = marks[[3, 2, 1, 0, 4, 6, 5]]
    error = now_error(scan, verts, faces, swapped)
    assert error.alignment.reflected
    assert np.linalg.det(error.alignment.rotation) == pytest.approx(-1)
    assert "swapped" in order_problem(swapped, marks)
    assert order_problem(marks * 0.001 @ rotation(1, 2, 3).T, marks) is None


def test_scrambled_landmarks_are_named(face):
    *_, marks = face
    assert "expected order" in order_problem(marks[[4, 0, 6, 1, 3, 5, 2]], marks)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("cm", 0.1), ("m", 0.001)])
def test_metrical_units(face, scan, unit, factor):
    verts, faces, marks = face
    centred = verts - marks.mean(axis=0), marks - marks.mean(axis=0)
    same = now_error(scan, centred[0] * factor, faces, centred[1] * factor, unit)
    assert same.refinement.s == 1.0
    assert np.median(same.distances) < 0.3
    larger = now_error(scan, 1.04 * centred[0] * factor, faces, 1.04 * centred[1] * factor, unit)
    free = now_error(scan, 1.04 * centred[0] * factor, faces, 1.04 * centred[1] * factor)
    assert np.median(larger.distances) > 1.5 * np.median(free.distances)


def test_the_official_metrical_start_is_off_and_the_corrected_one_is_not(face):
    verts, faces, marks = face
    away = 0.97 * (marks + [0, 0, 800])
    official = align_landmarks(marks, away, "mm")
    corrected = align_landmarks(marks, away, "mm", corrected_start=True)
    np.testing.assert_allclose(corrected(away).mean(axis=0), marks.mean(axis=0), atol=1e-6)
    offset = np.linalg.norm(official(away).mean(axis=0) - marks.mean(axis=0))
    expected = abs(1 - official_scale(marks, away)) * np.linalg.norm(away.mean(axis=0))
    assert offset == pytest.approx(expected, rel=1e-6)
    assert offset > 20


def official_scale(target, source):
    return align_landmarks(target, source).scale


def test_units_are_checked():
    assert unit_problem(LANDMARKS * 0.001, "m") is None
    assert "looks like m" in unit_problem(LANDMARKS * 0.001, "mm")
    assert "no unit" in unit_problem(LANDMARKS * 7, "mm")


def test_pool_is_over_vertices_not_images():
    error = pool([np.array([1.0, 1, 1, 1]), np.array([9.0])])
    assert (error.median, error.mean, error.n) == (1.0, 2.6, 5)
    assert error.std == pytest.approx(3.2)
    assert np.isnan(pool([]).median)


def test_cumulative_curve():
    edges, percent = cumulative_curve(np.linspace(0, 10, 1001), bins=1000)
    assert edges[0] == 0
    assert percent[-1] == pytest.approx(100)
    assert percent[np.searchsorted(edges, 5.0)] == pytest.approx(50, abs=0.2)
    grid, part = thinned_curve(np.array([0.5, 1.0, 9.0]), step=0.5)
    assert grid[-1] == 8
    assert part[1:3].tolist() == pytest.approx([100 / 3, 200 / 3])
    assert part[-1] == pytest.approx(200 / 3)


def test_degenerate_faces_and_zero_distances(face):
    verts, faces, marks = face
    broken = np.concatenate([faces, [[0, 0, 5], [7, 7, 7]]])
    doubled = np.concatenate([verts, verts[10:11]])
    broken = np.concatenate([broken, [[10, len(verts), 40]]])
    cropped = crop_scan(verts, marks)
    error = now_error(cropped, doubled, broken, marks)
    assert error.degenerate_faces == 3
    assert np.isfinite(error.distances).all()
    assert error.distances.max() < 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, f, m: (v, f, m[:6]), r"7 landmarks"),
        (lambda v, f, m: (v, f, m * [1, np.nan, 1]), r"finite landmarks"),
        (lambda v, f, m: (v, f, np.zeros((7, 3))), r"coincide"),
        (lambda v, f, m: (v * [1, np.nan, 1], f, m), r"finite verts"),
        (lambda v, f, m: (v, f[:0], m), r"n > 0"),
        (lambda v, f, m: (v, f + len(v), m), r"vertex indices"),
        (lambda v, f, m: (v[:, :2], f, m), r"\(n, 3\)"),
        (lambda v, f, m: (v, f, "seven"), r"7 rows"),
    ],
)
def test_bad_predictions(face, scan, change, message):
    with pytest.raises(MGCError, match=message):
        now_error(scan, *change(*face))


def test_bad_unit(face, scan):
    with pytest.raises(MGCError, match="mm, cm, m"):
        now_error(scan, *face, unit="inch")


def test_scan_in_another_unit():
    verts, _, marks = cap()
    with pytest.raises(MGCError, match="share their unit"):
        crop_scan(verts + 5000, marks)


def test_landmarks_may_have_a_leading_axis():
    assert as_landmarks(LANDMARKS[None].astype(np.float32)).shape == (7, 3)


@pytest.mark.parametrize("r", [[0.0, 0, 0], [1e-9, 2e-9, 0], [0.3, -0.2, 0.5], [3.0, 0.1, 0.2]])
def test_rotation_derivative(r):
    r = np.array(r)
    numeric = [(rodrigues(r + h) - rodrigues(r - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(rodrigues_derivative(r), numeric, atol=1e-8)
