"""The fit of a face model to a scan."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from textured_scans import person

from mgc_lightning.errors import MGCError
from mgc_lightning.fitting.scan_fit import fit_scan
from mgc_lightning.fitting.scan_settings import ScanFitSettings
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit

R = Rotation.from_euler("xyz", [10, -25, 5], degrees=True).as_matrix()
T = np.array([100.0, -40.0, 500.0])


def scan_of(model, verts, scale=1.0, noise=0.0, seed=0):
    """Sample the front of a head at random, in a frame of its own; give points, 68 and 7 landmarks."""
    rng = np.random.default_rng(seed)
    faces = model.faces_without("teeth", "mouth_interior").numpy()
    corners = verts.double().numpy()[faces]
    share = rng.dirichlet(np.ones(3), len(faces))
    points = np.einsum("fk,fka->fa", share, corners)
    points = points[points[:, 2] > 0] + rng.normal(0, noise, 3)
    marks = [pick(verts.double()).numpy() for pick in (model.landmarks68, model.landmarks7)]
    return [scale * p @ R.T + T for p in (points + rng.normal(0, noise, points.shape), *marks)]


def neutral_error(model, identity, truth):
    """Give the mean vertex distance of the neutral face in mm, as the project measures it."""
    a, b = (model.shape(c).double()[model.face_mask] for c in (identity, truth))
    return float((apply_similarity(a, *similarity_fit(a, b)) - b).norm(dim=-1).mean())


@pytest.mark.parametrize("count", [68, 7])
def test_recovers_a_face_and_its_place(count):
    model, truth = person()
    points, all68, seven = scan_of(model, model.shape(truth), scale=1.03)
    fit = fit_scan(model, points, all68 if count == 68 else seven)
    assert neutral_error(model, torch.zeros_like(truth), truth) > 2
    assert neutral_error(model, fit.identity, truth) < 0.45
    assert np.median(fit.distances) < 0.15
    assert np.degrees(Rotation.from_matrix(R.T @ fit.R).magnitude()) < 1
    mask = model.face_mask.numpy()
    true = 1.03 * model.shape(truth).double().numpy() @ R.T + T
    assert np.linalg.norm(fit.to_scan(fit.verts) - true, axis=1)[mask].mean() < 0.6
    assert (fit.expression == 0).all()
    assert len(fit.landmark_distances) == count


def test_noise_hair_and_wrong_points_do_not_bend_it():
    model, truth = person()
    points, all68, _ = scan_of(model, model.shape(truth), noise=0.3)
    clean = neutral_error(model, fit_scan(model, points, all68).identity, truth)
    rng = np.random.default_rng(1)
    # A fringe, a centimetre and a half above the forehead and the temples, in place of half of their points.
    high = (points - T) @ R
    hair = np.flatnonzero((high[:, 1] > 65) & (rng.random(len(points)) < 0.5))
    assert len(hair) > 50
    points[hair] += 15 * R[:, 2]
    all68[[19, 24]] += 12 * R[:, 1]
    assert neutral_error(model, fit_scan(model, points, all68).identity, truth) < clean + 0.35


def test_expression_is_told_from_identity():
    model, truth = person()
    expression = torch.zeros(model.layout.expression)
    expression[model.expression_names.index(next(n for n in model.expression_names if "mouthSmile" in n))] = 0.8
    points, all68, _ = scan_of(model, model.shape(truth, expression))
    without = fit_scan(model, points, all68)
    with_it = fit_scan(model, points, all68, ScanFitSettings(expression=True))
    assert np.median(with_it.distances) < np.median(without.distances)
    assert neutral_error(model, with_it.identity, truth) < neutral_error(model, without.identity, truth)
    assert with_it.expression.abs().max() > 0


def test_scale_can_be_held():
    model, truth = person()
    points, all68, _ = scan_of(model, model.shape(truth), scale=1.05)
    assert fit_scan(model, points, all68, ScanFitSettings(scale=False)).s == 1
    assert abs(fit_scan(model, points, all68).s - 1.05) < 0.02


def test_a_firmer_prior_stays_nearer_to_the_mean():
    model, truth = person()
    points, all68, _ = scan_of(model, model.shape(truth))
    soft, firm = (fit_scan(model, points, all68, ScanFitSettings(prior_identity=p)) for p in (1e-3, 1e-1))
    assert firm.identity.norm() < 0.7 * soft.identity.norm()
    assert np.median(firm.distances) > np.median(soft.distances)


def test_many_points_are_thinned_evenly_and_named():
    model, truth = person()
    points, all68, _ = scan_of(model, model.shape(truth))
    fit = fit_scan(model, points, all68, ScanFitSettings(points=500, iterations=5))
    assert len(fit.distances) == len(fit.index) == 500
    assert (np.diff(fit.index) > 0).all()


def test_bad_input():
    model, truth = person()
    points, all68, _ = scan_of(model, model.shape(truth))
    with pytest.raises(MGCError, match=r"NoW's 7 or iBUG's 68 .* got \(5, 3\)"):
        fit_scan(model, points, all68[:5])
    with pytest.raises(MGCError, match="share their unit and frame"):
        fit_scan(model, points / 1000, all68)
    with pytest.raises(MGCError, match=r"scan points \(n, 3\)"):
        fit_scan(model, points[:, :2], all68)
