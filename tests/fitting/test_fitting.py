"""Direct fits: to landmarks in closed steps, to photographs by the objective."""

import math
from dataclasses import replace

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting import StepScales, fit, fit_landmarks2d, fit_landmarks3d, initial_coefficients
from mgc_lightning.geometry.alignment import apply_similarity
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, rotation_error, transform_points
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views
from mgc_lightning.structures import FaceTriplet

SIZE = 64
WEIGHTS = LossWeights(
    landmark=5e-3, identity=0.0, prior_identity=1e-3, prior_expression=8e-4, prior_albedo=1e-3, pixel=0.5
)


@pytest.fixture(scope="module")
def face_model():
    return load_face_model()


@pytest.fixture(scope="module")
def batch(face_model):
    """Two samples of three views, 20 degrees apart."""
    generator = torch.Generator().manual_seed(1)
    K = intrinsics(SIZE, 1000.0).expand(2, 3, 3, 3)
    truth = initial_coefficients(face_model, K, SIZE)
    truth.identity = truth.identity + torch.randn(2, 1, truth.identity.shape[-1], generator=generator)
    truth.albedo = truth.albedo + torch.randn(2, 1, truth.albedo.shape[-1], generator=generator)
    truth.pose[..., 1] += torch.tensor([0.2, -0.15, 0.55])
    with torch.no_grad():
        views = render_views(truth, face_model, FaceRenderer(), K, SIZE)
    rendered = views.rendered
    return FaceTriplet(
        images=(rendered.image + 0.5 * (1 - rendered.mask)).unflatten(0, (2, 3)),
        landmarks=views.landmarks,
        skin=torch.ones(2, 3, 1, SIZE, SIZE),
        link=torch.tensor([2, 0]),
        K=K,
        sample_id=["linked", "alone"],
    ), views


def test_initial_coefficients_keep_the_size_of_the_face(face_model):
    widths = []
    for focal in (1000.0, 4700.0):
        K = intrinsics(112, focal)[None]
        start = initial_coefficients(face_model, K, 112)
        points = face_model.landmarks68(face_model.shape(start.identity))
        uv = project(transform_points(pose_to_transform(start.pose), points), K)
        widths.append((uv[0, 16, 0] - uv[0, 0, 0]).item())
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert 40 < widths[0] < 80


@pytest.mark.parametrize("focal", [1000.0, 4700.0])
@pytest.mark.parametrize("yaw", [-1.2, -0.5, 0.0, 1.2])
def test_landmarks_of_a_photograph_give_the_pose(face_model, focal, yaw):
    K = intrinsics(SIZE, focal).expand(1, 1, 3, 3)
    truth = initial_coefficients(face_model, K, SIZE)
    truth.identity = truth.identity + 0.7 * torch.randn_like(truth.identity)
    truth.pose = truth.pose + torch.tensor([0.2, yaw, 0.1, 5.0, -3.0, 0.03 * truth.pose[0, 0, 5]])
    T = pose_to_transform(truth.pose)
    landmarks = project(transform_points(T, face_model.landmarks68(face_model.shape(truth.identity))), K)
    fitted = fit_landmarks2d(face_model, landmarks, K, SIZE, prior_identity=1e-3, prior_expression=1e-2)
    T_fitted = pose_to_transform(fitted.pose)
    assert rotation_error(T[..., :3, :3], T_fitted[..., :3, :3]).item() < 3
    points = face_model.landmarks68(face_model.shape(fitted.identity, fitted.expression))
    assert (project(transform_points(T_fitted, points), K) - landmarks).norm(dim=-1).mean() < 0.3


def test_each_view_has_weights_of_its_own(face_model):
    """A jaw that lies elsewhere bends the view that trusts it, and not the other."""
    K = intrinsics(SIZE).expand(2, 3, 3)
    start = initial_coefficients(face_model, K, SIZE)
    points = face_model.landmarks68(face_model.mean).expand(2, 68, 3)
    landmarks = project(transform_points(pose_to_transform(start.pose), points), K)
    landmarks[:, :17, 0] += 3.0
    trust = torch.ones(2, 68)
    trust[1, :17] = 0
    both = fit_landmarks2d(face_model, landmarks, K, SIZE, trust)
    assert both.identity[0].norm() > 0.1
    assert both.identity[1].norm() < 1e-3
    alone = fit_landmarks2d(face_model, landmarks[1:], K[1:], SIZE, trust[1])
    torch.testing.assert_close(alone.pose[0], both.pose[1], atol=1e-3, rtol=1e-5)


def test_meshes_landmarks_give_shape_and_similarity(face_model):
    identity = torch.zeros(2, face_model.layout.identity)
    identity[:, :6] = torch.randn(2, 6)
    target = face_model.landmarks68(face_model.shape(identity)) * 0.01
    pose = torch.tensor([[0.3, 0.5, -0.2, 4.0, 5.0, 6.0]]).expand(2, 6)
    target = transform_points(pose_to_transform(pose), target)
    found = fit_landmarks3d(face_model, target, noise=0.05)
    assert found.residual.max() < 0.01
    torch.testing.assert_close(found.s, torch.full((2,), 0.01), rtol=0.05, atol=0)
    assert rotation_error(found.R, pose_to_transform(pose)[:, :3, :3]).max() < 2
    verts = face_model.shape(found.identity, found.expression)
    again = apply_similarity(face_model.landmarks68(verts), found.s, found.R, found.t)
    torch.testing.assert_close(again.sub(target).norm(dim=-1), found.residual, atol=1e-4, rtol=1e-3)


def test_mesh_landmarks_of_weight_zero_are_ignored(face_model):
    target = face_model.landmarks68(face_model.mean)[None].clone()
    target[:, :17] += 100
    weights = torch.ones(68)
    weights[:17] = 0
    found = fit_landmarks3d(face_model, target, weights, with_scale=False, with_expression=False)
    assert found.identity.abs().max() < 1e-3
    assert found.expression.abs().max() == 0
    assert found.residual[:, 17:].max() < 1e-3


def test_fit_lowers_the_objective(face_model, batch):
    photographs, truth = batch
    objective = MGCObjective(WEIGHTS)
    calls = []
    result = fit(
        face_model,
        FaceRenderer(),
        objective,
        photographs,
        steps=12,
        learning_rate=0.02,
        on_step=lambda step, report: calls.append((step, report.total.item())),
    )
    totals = result.history["total"]
    assert len(totals) == 13
    assert len(calls) == 12
    assert totals[-1] < 0.8 * totals[0]
    assert result.coefficients.identity.shape == (2, 3, face_model.layout.identity)
    assert not result.coefficients.identity.requires_grad
    errors = rotation_error(result.views.T_cam_model[..., :3, :3], truth.T_cam_model[..., :3, :3])
    assert errors.mean() < 4


def test_shared_groups_are_equal_in_all_views_and_frozen_ones_stay(face_model, batch):
    photographs, _ = batch
    start = initial_coefficients(face_model, photographs.K, SIZE)
    result = fit(
        face_model,
        FaceRenderer(),
        MGCObjective(WEIGHTS),
        photographs,
        init=start,
        free=("identity", "pose"),
        share=("identity",),
        steps=3,
    )
    identity = result.coefficients.identity
    assert torch.equal(identity, identity[:, :1].expand_as(identity))
    assert identity.abs().max() > 0
    assert torch.equal(result.coefficients.albedo, start.albedo)
    assert torch.equal(result.coefficients.light, start.light)
    assert not torch.equal(result.coefficients.pose[:, 0], result.coefficients.pose[:, 1])


def test_samples_are_fitted_independently(face_model, batch):
    photographs, _ = batch
    objective, renderer = MGCObjective(WEIGHTS), FaceRenderer()
    both = fit(face_model, renderer, objective, photographs, steps=3)
    one = FaceTriplet(**{name: getattr(photographs, name)[:1] for name in ("images", "landmarks", "skin", "link", "K")})
    alone = fit(face_model, renderer, objective, one, steps=3)
    torch.testing.assert_close(both.coefficients.identity[:1], alone.coefficients.identity, atol=2e-2, rtol=1e-2)


def test_bad_input(face_model, batch):
    photographs, _ = batch
    with pytest.raises(MGCError, match="identity, "):
        fit(face_model, FaceRenderer(), MGCObjective(WEIGHTS), photographs, free=("shape",))
    images = photographs.images.clone()
    images[0] = math.nan
    with pytest.raises(MGCError, match="linked"):
        fit(face_model, FaceRenderer(), MGCObjective(WEIGHTS), replace(photographs, images=images), steps=1)


def test_step_scales_are_read(face_model, batch):
    photographs, _ = batch
    start = initial_coefficients(face_model, photographs.K, SIZE)
    still = StepScales(rotation=(0.0, 0.0, 0.0), translation=0.0, distance=0.0)
    result = fit(face_model, FaceRenderer(), MGCObjective(WEIGHTS), photographs, init=start, steps=2, scales=still)
    assert torch.equal(result.coefficients.pose, start.pose)
