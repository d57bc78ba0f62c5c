"""Each rule of the REALY protocol on inputs whose answer is known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.edges import unique_edges
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.metrics.realy.block_cholesky import BlockCholesky
from mgc_lightning.metrics.realy.clean import clean_region
from mgc_lightning.metrics.realy.evaluate import realy_errors
from mgc_lightning.metrics.realy.gicp import align_globally
from mgc_lightning.metrics.realy.nicp import deform_region, surface_stages
from mgc_lightning.metrics.realy.regions import NONRIGID_KEYPOINTS, RIGID_KEYPOINTS
from mgc_lightning.metrics.realy.ricp import align_to_region
from mgc_lightning.metrics.realy.rigid import fit_rigid
from mgc_lightning.metrics.realy.scan import REALYScan, ScanRegion
from mgc_lightning.metrics.realy.stiff_system import StiffSystem
from mgc_lightning.metrics.realy.surface import PosedVerts, RigidSurface
from mgc_lightning.metrics.realy.topology import Topology


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def bumpy_grid(size: int = 30, extent: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Make a curved sheet about as large as a face in model units."""
    x, y = np.meshgrid(np.linspace(-extent / 2, extent / 2, size), np.linspace(-extent / 2, extent / 2, size))
    z = 3 - 0.06 * (x**2 + y**2) + 0.4 * np.sin(x) * np.cos(0.7 * y)
    index = np.arange(size * size).reshape(size, size)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return np.stack([x, y, z], -1).reshape(-1, 3), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def sheet_topology(rng: np.random.Generator, mask: np.ndarray | None = None) -> tuple[np.ndarray, Topology]:
    verts, faces = bumpy_grid()
    triangles = faces[rng.choice(len(faces), 85, replace=False)]
    weights = rng.dirichlet([1.0, 1.0, 1.0], 85)
    return verts, Topology("sheet", len(verts), faces, triangles, weights, mask)


def sheet_scan(verts: np.ndarray, topology: Topology, scale: float = 9.0) -> REALYScan:
    """Cut the sheet into four overlapping regions around the middle."""
    regions = {}
    for name, shift in (("nose", 0.0), ("mouth", -2.0), ("forehead", 2.0), ("cheek", 0.0)):
        keep = (np.abs(verts[:, 0]) < 4.2) & (np.abs(verts[:, 1] - shift) < 3.4)
        faces = topology.faces[keep[topology.faces].all(axis=1)]
        regions[name] = ScanRegion(verts.astype(np.float32), faces)
    return REALYScan(1, topology.keypoints(verts).astype(np.float32), regions, scale)


def test_rotation_may_reflect_and_scale_is_an_l1_ratio(rng: np.random.Generator) -> None:
    source = rng.normal(size=(7, 3))
    mirrored = source * [-1.0, 1.0, 1.0]
    _, R, t = fit_rigid(source, mirrored)
    assert np.linalg.det(R) == pytest.approx(-1.0)
    np.testing.assert_allclose(source @ R.T + t, mirrored, atol=1e-12)

    noisy = 3.0 * source + rng.normal(0, 0.3, (7, 3))
    scale, R, t = fit_rigid(source, noisy, with_scale=True)
    p, q = source - source.mean(0), noisy - noisy.mean(0)
    assert scale == pytest.approx(np.abs(q).sum() / np.abs(p @ R.T).sum())
    least_squares = np.trace((p @ R.T).T @ q) / (p**2).sum()
    assert abs(scale - least_squares) > 1e-4
    np.testing.assert_allclose(t, (noisy - scale * source @ R.T).mean(0), atol=1e-12)


def test_global_alignment_sees_the_seven_keypoints_alone(rng: np.random.Generator) -> None:
    keypoints = rng.normal(size=(85, 3))
    R = Rotation.random(random_state=1).as_matrix()
    scan = rng.normal(size=(85, 3))
    scan[list(SEVEN_POINTS)] = 0.1 * keypoints[list(SEVEN_POINTS)] @ R.T + [4.0, 5.0, 6.0]
    found = align_globally(keypoints.astype(np.float32), keypoints, scan.astype(np.float32))
    np.testing.assert_allclose(found.verts, 0.1 * keypoints @ R.T + [4.0, 5.0, 6.0], atol=1e-5)
    assert not found.reflected
    scan[list(SEVEN_POINTS)] *= [-1.0, 1.0, 1.0]
    assert align_globally(keypoints.astype(np.float32), keypoints, scan.astype(np.float32)).reflected


def test_sets_of_keypoints() -> None:
    assert {name: len(points) for name, points in RIGID_KEYPOINTS.items()} == {
        "nose": 11,
        "mouth": 14,
        "forehead": 22,
        "cheek": 27,
    }
    assert {name: len(points) for name, points in NONRIGID_KEYPOINTS.items()} == {
        "nose": 9,
        "mouth": 14,
        "forehead": 22,
        "cheek": 0,
    }
    used = set().union(*RIGID_KEYPOINTS.values())
    assert used - set(range(68)) == {70, 71, 76, 77}


def test_regional_alignment_undoes_a_small_motion(rng: np.random.Generator) -> None:
    verts, topology = sheet_topology(rng)
    scan = sheet_scan(verts, topology)
    R = Rotation.from_euler("xyz", [2, -1, 3], degrees=True).as_matrix()
    moved = verts @ R.T + [0.1, -0.2, 0.1]
    found = align_to_region(
        "nose",
        moved,
        RigidSurface(moved, topology.faces),
        topology.keypoints(moved),
        scan.regions["nose"].verts,
        scan.keypoints,
    )
    np.testing.assert_allclose(found.verts, verts, atol=1e-2)
    assert found.verts.dtype == np.float32
    assert found.fits > 1


def test_regional_alignment_stops_at_once_on_a_perfect_fit(rng: np.random.Generator) -> None:
    """The first error is compared with 0, and the last fit is not applied."""
    verts, topology = sheet_topology(rng)
    scan = sheet_scan(verts, topology)
    verts = verts.astype(np.float32).astype(np.float64)
    surface = RigidSurface(verts, topology.faces)
    found = align_to_region(
        "cheek", verts, surface, topology.keypoints(verts), scan.regions["cheek"].verts, scan.keypoints
    )
    assert found.fits == 1
    assert found.verts is verts


def test_surface_follows_the_moved_and_rounded_vertices(rng: np.random.Generator) -> None:
    verts, faces = bumpy_grid()
    surface, posed = RigidSurface(verts, faces), PosedVerts.at_rest(verts)
    for seed in range(5):
        R = Rotation.random(random_state=seed).as_matrix()
        posed = posed.moved(R, rng.normal(size=3) * 20)
    points = posed.now[rng.choice(len(verts), 200)] + rng.normal(0, 0.3, (200, 3))
    face_index, closest = surface.query(points, posed)
    expected_faces, expected = RigidSurface(posed.now.astype(np.float64), faces).query(
        points, PosedVerts.at_rest(posed.now.astype(np.float64))
    )
    np.testing.assert_array_equal(closest, expected)
    np.testing.assert_array_equal(face_index, expected_faces)


def test_tie_goes_to_the_face_that_looks_at_the_point() -> None:
    """Two parallel faces at nearly equal distance: the one whose normal points to the query wins."""
    low = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    away = low[[0, 2, 1]] + [0, 0, 0.02]
    verts = np.concatenate([low, away])
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    surface = RigidSurface(verts, faces)
    # From z = .01 both are 1e-2 away; the upper one faces down, toward the point, and so does the lower one up.
    point = np.array([[0.2, 0.2, 0.01 + 1e-8]])
    assert surface.query(point, PosedVerts.at_rest(verts))[0][0] in (0, 1)
    flipped = RigidSurface(verts, np.array([[0, 2, 1], [3, 4, 5]]))
    # Now the lower face looks away: although marginally nearer or farther, the upper one wins.
    assert flipped.query(point - [0, 0, 2e-8], PosedVerts.at_rest(verts))[0][0] == 1
    # Beyond the tolerance the nearest wins whatever it looks at.
    assert flipped.query(point - [0, 0, 1e-3], PosedVerts.at_rest(verts))[0][0] == 0


def test_cleaning_drops_and_merges_in_order_of_occurrence() -> None:
    verts = np.array([[9, 9, 9], [2, 0, 0], [0, 0, 0], [0, 1, 0], [2, 0, 1e-9], [1, 1, 0]], np.float32)
    kept, faces = clean_region(verts, np.array([[1, 2, 3], [4, 3, 5], [1, 4, 2]]))
    np.testing.assert_array_equal(kept, [[2, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]])
    # Faces that became degenerate stay; they have no edge of their own.
    np.testing.assert_array_equal(faces, [[0, 1, 2], [0, 2, 3], [0, 0, 1]])
    np.testing.assert_array_equal(unique_edges(faces), [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]])


def test_stiff_system_equals_dense_least_squares(rng: np.random.Generator) -> None:
    verts, faces = bumpy_grid(5)
    edges = unique_edges(faces)
    points = np.concatenate([verts, np.ones((len(verts), 1))], axis=1)
    weights = rng.uniform(0, 2, len(verts))
    targets = rng.normal(size=verts.shape)
    system = StiffSystem(edges, len(verts))
    for G in (np.full(4, 0.7), np.array([2.0, 2.0, 3.0, 2.0])):
        rows = []
        for a, b in edges:
            for k in range(4):
                row = np.zeros((len(verts), 4))
                row[a, k], row[b, k] = G[k], -G[k]
                rows.append(row.ravel())
        data = np.zeros((len(verts), len(verts), 4))
        data[np.arange(len(verts)), np.arange(len(verts))] = points * np.sqrt(weights)[:, None]
        A = np.concatenate([np.stack(rows), data.reshape(len(verts), -1)])
        B = np.concatenate([np.zeros((len(rows), 3)), targets * np.sqrt(weights)[:, None]])
        expected = np.linalg.lstsq(A, B, rcond=None)[0].reshape(-1, 4, 3)
        found = system.solve(G**2, points, weights, weights[:, None] * targets)
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_block_cholesky_equals_dense_and_tells_what_is_not_positive(rng: np.random.Generator) -> None:
    _, faces = bumpy_grid(6)
    edges = unique_edges(faces)
    factors = BlockCholesky(edges, 36)
    for scale in (1.0, 3.0):
        random = rng.normal(size=(36, 4, 4))
        diagonal = random @ random.transpose(0, 2, 1) + 100.0 * np.eye(4)
        off_diagonal = -scale * np.array([1.0, 2.0, 3.0, 4.0])
        dense = np.zeros((36, 4, 36, 4))
        dense[np.arange(36), :, np.arange(36)] = diagonal
        for a, b in edges:
            dense[a, :, b] = dense[b, :, a] = np.diag(off_diagonal)
        right = rng.normal(size=(36, 4, 3))
        assert factors.factor(diagonal, off_diagonal)
        expected = np.linalg.solve(dense.reshape(144, 144), right.reshape(144, 3)).reshape(36, 4, 3)
        np.testing.assert_allclose(factors.solve(right), expected, atol=1e-10)
    assert not factors.factor(diagonal - 120.0 * np.eye(4), off_diagonal)


def test_schedule() -> None:
    stages = list(surface_stages(capped=True))
    np.testing.assert_allclose([stage.stiffness for stage in stages], [50, 30.3265, 18.3940], atol=1e-4)
    assert [stage.tolerance for stage in stages] == [1.0, 0.5, 0.25]
    assert [stage.max_solves for stage in stages] == [11, 11, 11]
    assert [stage.max_solves for stage in surface_stages(capped=False)] == [None] * 3


def test_deformation_reaches_the_targets(rng: np.random.Generator) -> None:
    verts, faces = bumpy_grid(20)
    targets = verts + [0.05, -0.1, 0.08]
    free = deform_region(verts, faces, targets)
    index = rng.choice(len(verts), 9, replace=False)
    guided = deform_region(verts, faces, targets, index, targets[index])
    for found in (free, guided):
        tree_distance = np.linalg.norm(found.verts[:, None] - targets[None], axis=-1).min(axis=1)
        assert tree_distance.mean() < 0.03
    assert guided.solves > 1


def test_last_target_of_a_repeated_keypoint_counts() -> None:
    verts, faces = bumpy_grid(12)
    index = np.array([5, 60, 90, 130, 5])
    once = deform_region(verts, faces, verts, index[1:], verts[index[1:]] + 0.1)
    first = np.vstack([verts[5] + 9.0, verts[index[1:]] + 0.1])
    repeated = deform_region(verts, faces, verts, index, first)
    np.testing.assert_allclose(repeated.verts, once.verts, atol=1e-9)


def test_perfect_prediction_has_no_error_without_keypoints(rng: np.random.Generator) -> None:
    verts, topology = sheet_topology(rng)
    scan = sheet_scan(verts, topology)
    R = Rotation.random(random_state=3).as_matrix()
    result = realy_errors(25.0 * verts @ R.T + [1, 2, 3], topology, scan)
    assert result.regions["cheek"].error < 1e-3


def test_scale_multiplies_the_error_alone(rng: np.random.Generator) -> None:
    verts, topology = sheet_topology(rng)
    bumps = verts + rng.normal(0, 0.05, verts.shape)
    nine = realy_errors(bumps, topology, sheet_scan(verts, topology, 9.0)).errors
    np.testing.assert_allclose(realy_errors(bumps, topology, sheet_scan(verts, topology, 4.5)).errors, nine / 2)


def test_mask_restricts_the_measured_surface_and_not_the_alignment(rng: np.random.Generator) -> None:
    verts, topology = sheet_topology(rng)
    mask = verts[:, 0] < 1.0
    _, masked = sheet_topology(np.random.default_rng(0), mask)
    scan = sheet_scan(verts, topology)
    whole, part = realy_errors(verts, topology, scan), realy_errors(verts, masked, scan)
    assert part.regions["cheek"].error > whole.regions["cheek"].error + 1.0
    assert part.regions["cheek"].alignment.fits == whole.regions["cheek"].alignment.fits


def test_region_in_two_pieces_is_refused(rng: np.random.Generator) -> None:
    verts, topology = sheet_topology(rng)
    scan = sheet_scan(verts, topology)
    piece = scan.regions["nose"]
    far = piece.verts + np.float32([50, 0, 0])
    verts2 = np.concatenate([piece.verts, far])
    faces2 = np.concatenate([piece.faces, piece.faces + len(piece.verts)])
    regions = {**scan.regions, "nose": ScanRegion(verts2, faces2)}
    broken = REALYScan(1, scan.keypoints, regions, scan.scale)
    with pytest.raises(MGCError, match=r"nose.*one connected"):
        realy_errors(verts, topology, broken)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v[:-1], "expected 900 vertices"),
        (lambda v: np.where(np.arange(len(v))[:, None] == 7, np.nan, v), "vertex 7 is not finite"),
        (lambda v: v * 0, "keypoints of the prediction coincide"),
    ],
)
def test_bad_predictions(rng: np.random.Generator, spoil, message: str) -> None:
    verts, topology = sheet_topology(rng)
    with pytest.raises(MGCError, match=message):
        realy_errors(spoil(verts), topology, sheet_scan(verts, topology))
