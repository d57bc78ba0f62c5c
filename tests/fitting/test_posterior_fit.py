"""The most probable face between a prediction and landmarks: limits, agreement with a plain solver, outliers."""

from dataclasses import replace

import pytest
import torch

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting import LandmarkErrors, MeasuredPoints, PredictionErrors, fit_posterior, mesh_points
from mgc_lightning.fitting.posterior_fit import ROBUST
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points

SIZE = 224
EXACT = LandmarkErrors(jaw=1e-2, brows=1e-2, nose=1e-2, eyes=1e-2, mouth=1e-2)
UNKNOWN = LandmarkErrors(jaw=1e5, brows=1e5, nose=1e5, eyes=1e5, mouth=1e5)


@pytest.fixture(scope="module")
def model():
    return load_face_model()


def faces(model, samples, views, seed=0):
    """Draw people with expressions and poses of their own, and give what shows them: coefficients, landmarks, K."""
    draw = torch.Generator().manual_seed(seed)
    coefficients = model.mean_coefficients(samples * views).map(lambda group: group.unflatten(0, (samples, views)))
    identity = torch.randn(samples, 1, model.layout.identity, generator=draw).expand(-1, views, -1)
    expression = torch.randn(samples, views, model.layout.expression, generator=draw) * model.expression_sigma * 0.3
    pose = coefficients.pose + torch.randn(samples, views, 6, generator=draw) * torch.tensor([0.1, 0.3, 0.1, 3, 3, 60])
    found = replace(coefficients, identity=identity, expression=expression, pose=pose)
    K = intrinsics(SIZE).expand(samples, views, 3, 3)
    return found, pixels(model, found, K), K


def pixels(model, coefficients, K):
    points = model.landmarks68(model.shape(coefficients.identity, coefficients.expression))
    return project(transform_points(pose_to_transform(coefficients.pose), points), K)


def blurred(model, truth, seed=1):
    """Give a prediction that is off as networks are."""
    draw = torch.Generator().manual_seed(seed)
    identity = truth.identity + 0.8 * torch.randn(truth.identity.shape, generator=draw)
    turn = torch.randn(truth.pose.shape, generator=draw) * torch.tensor([0.05, 0.05, 0.05, 2, 2, 50])
    return replace(truth, identity=identity, pose=truth.pose + turn, expression=truth.expression * 0.5)


def test_exact_landmarks_are_met(model):
    truth, landmarks, K = faces(model, 3, 1)
    found = fit_posterior(
        model, blurred(model, truth), landmarks, K, SIZE, points=MeasuredPoints.landmarks(model, EXACT), iterations=20
    )
    assert (pixels(model, found, K) - landmarks).norm(dim=-1).mean() < 0.05


def test_landmarks_that_say_nothing_leave_the_prediction(model):
    truth, landmarks, K = faces(model, 2, 1)
    start = blurred(model, truth)
    found = fit_posterior(model, start, landmarks, K, SIZE, points=MeasuredPoints.landmarks(model, UNKNOWN))
    for name in ("identity", "expression", "pose", "albedo", "light"):
        torch.testing.assert_close(getattr(found, name), getattr(start, name), rtol=1e-3, atol=1e-3)


def test_the_identity_comes_nearer_and_views_help(model):
    truth, landmarks, K = faces(model, 6, 4)
    landmarks = landmarks + torch.randn(landmarks.shape, generator=torch.Generator().manual_seed(2))
    start = blurred(model, truth)

    def error(identity):
        away = model.shape(identity) - model.shape(truth.identity[:, :1])
        return away[:, :, model.face_mask].norm(dim=-1).mean()

    alone = fit_posterior(model, start.map(lambda g: g[:, :1]), landmarks[:, :1], K[:, :1], SIZE)
    together = fit_posterior(model, start, landmarks, K, SIZE)
    assert error(alone.identity) < 0.9 * error(start.identity[:, :1])
    assert error(together.identity[:, :1]) < 0.8 * error(alone.identity)
    assert torch.equal(together.identity, together.identity[:, :1].expand_as(together.identity))


def test_it_is_the_minimum_that_a_plain_solver_finds(model):
    truth, landmarks, K = faces(model, 1, 2)
    start = blurred(model, truth)
    marks, errors = LandmarkErrors(), PredictionErrors()
    sigma = model.expression_sigma.double()
    prior = start.map(torch.Tensor.double)
    mean = prior.identity.mean(1)
    sizes = torch.tensor([*[errors.rotation] * 3, *[errors.translation] * 2, 0.0]).double()
    spread = sizes.expand(1, 2, 6).clone()
    spread[..., 5] = errors.distance * prior.pose[..., 5].abs()

    def energy(x):
        identity, rest = x[:80] + mean[0], x[80:].reshape(1, 2, -1)
        pose, expression = prior.pose + rest[..., :6] * spread, prior.expression + rest[..., 6:] * sigma
        face = replace(prior, identity=identity.expand(1, 2, 80), pose=pose, expression=expression)
        away = (pixels(double, face, K.double()) - landmarks.double()).square().sum(-1) / marks.vector().square()
        robust = (away / (1 + away / ROBUST**2)).sum()  # Geman and McClure
        return (
            robust
            + 2 * (x[:80] / errors.identity).square().sum()
            + (rest[..., :6].square().sum() + (rest[..., 6:] / errors.expression).square().sum())
        )

    double = load_face_model().double()
    x = torch.zeros(80 + 2 * 58, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [x], max_iter=600, history_size=50, line_search_fn="strong_wolfe", tolerance_change=1e-14
    )

    def closure():
        solver.zero_grad()
        value = energy(x)
        value.backward()
        return value

    solver.step(closure)
    found = fit_posterior(model, start, landmarks, K, SIZE, iterations=25)
    torch.testing.assert_close(found.identity[0, 0].double(), (x[:80] + mean[0]).detach(), rtol=0, atol=0.02)
    plain = prior.pose + x[80:].reshape(1, 2, -1)[..., :6].detach() * spread
    torch.testing.assert_close(found.pose.double(), plain, rtol=1e-3, atol=0.02)


def test_a_hand_before_the_mouth_does_not_bend_the_face(model):
    truth, landmarks, K = faces(model, 4, 1)
    hidden = landmarks.clone()
    hidden[..., 48:56, :] += torch.tensor([25.0, 40.0])
    start = blurred(model, truth)
    clean = fit_posterior(model, start, landmarks, K, SIZE)
    found = fit_posterior(model, start, hidden, K, SIZE)
    others = [*range(27, 48)]
    away = (pixels(model, found, K) - landmarks)[..., others, :].norm(dim=-1).mean()
    assert away < (pixels(model, clean, K) - landmarks)[..., others, :].norm(dim=-1).mean() + 0.7
    trust = torch.ones(4, 1, 68)
    trust[..., 48:56] = 0
    told = fit_posterior(model, start, hidden, K, SIZE, trust=trust)
    without = fit_posterior(model, start, landmarks, K, SIZE, trust=trust)
    torch.testing.assert_close(told.identity, without.identity)


def test_a_held_identity_stays(model):
    truth, landmarks, K = faces(model, 2, 1)
    start = blurred(model, truth)
    found = fit_posterior(
        model, start, landmarks, K, SIZE, points=MeasuredPoints.landmarks(model, EXACT), hold_identity=True
    )
    torch.testing.assert_close(found.identity, start.identity, rtol=0, atol=1e-4)
    before, after = ((pixels(model, c, K) - landmarks).norm(dim=-1).mean() for c in (start, found))
    assert after < 0.6 * before


def test_samples_do_not_know_each_other_and_sizes_do_not_matter(model):
    truth, landmarks, K = faces(model, 3, 2)
    start = blurred(model, truth)
    together = fit_posterior(model, start, landmarks, K, SIZE)
    one = fit_posterior(model, start.map(lambda g: g[1:2]), landmarks[1:2], K[1:2], SIZE)
    torch.testing.assert_close(together.identity[1:2], one.identity, rtol=1e-4, atol=1e-4)
    small = fit_posterior(model, start, landmarks * 96 / SIZE, intrinsics(96).expand(3, 2, 3, 3), 96)
    torch.testing.assert_close(together.identity, small.identity, rtol=1e-2, atol=1e-2)
    assert isinstance(together, FaceCoefficients)
    assert together.pose.dtype == torch.float32


def test_a_mesh_of_many_points_says_more_of_identity_than_68_landmarks(model):
    truth, landmarks, K = faces(model, 4, 1)
    start = blurred(model, truth)
    found = mesh_points(model)
    cam = transform_points(pose_to_transform(truth.pose), mesh_of(found, truth, model).float())
    mesh = project(cam, K)
    exact = replace(found.points, sigma=torch.full_like(found.points.sigma, 1.0))
    by_mesh = fit_posterior(model, start, mesh.float(), K, SIZE, points=exact)
    marks = MeasuredPoints.landmarks(model, LandmarkErrors(1.0, 1.0, 1.0, 1.0, 1.0))
    by_landmarks = fit_posterior(model, start, landmarks, K, SIZE, points=marks)

    def away(face):
        difference = model.shape(face.identity[:, 0]) - model.shape(truth.identity[:, 0])
        return difference[:, model.face_mask].norm(dim=-1).mean()

    assert away(by_mesh) < 0.8 * away(by_landmarks)


def mesh_of(found, face, model):
    """Give where the points of a mesh lie on faces, mm."""
    parts = torch.cat([face.identity, face.expression / model.expression_sigma], dim=-1).double()
    return found.points.mean + torch.einsum("bvc,cpk->bvpk", parts, found.points.basis)


def test_points_that_do_not_fit_the_landmarks_are_refused(model):
    truth, landmarks, K = faces(model, 1, 1)
    with pytest.raises(MGCError, match="68 landmarks are to be 355 points"):
        fit_posterior(model, truth, landmarks, K, SIZE, points=mesh_points(model).points)


def test_what_is_carried_of_identity_is_where_unseen_faces_end(model):
    truth, landmarks, K = faces(model, 1, 3)
    start = blurred(model, truth)
    unknown = MeasuredPoints.landmarks(model, UNKNOWN)
    errors = PredictionErrors(carried=0.25)
    found = fit_posterior(model, start, landmarks, K, SIZE, points=unknown, prediction_errors=errors)
    torch.testing.assert_close(found.identity[:, 0], 0.25 * start.identity.mean(1), atol=1e-4, rtol=0)
