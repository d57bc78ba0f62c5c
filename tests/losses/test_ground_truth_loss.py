"""Supervision: nothing at the truth, millimetres elsewhere, silent without truth."""

import dataclasses

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting.landmark_fit import initial_coefficients
from mgc_lightning.losses import GroundTruth
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

FACE_MODEL = load_face_model()
BATCH = make_triplets(FACE_MODEL, 2, image_size=48, settings=SyntheticSettings(occluders=0), views=2)


def views_of(batch=BATCH, **changes):
    coefficients = initial_coefficients(FACE_MODEL, batch.K, 48)
    for name, value in changes.items():
        setattr(coefficients, name, value)
    return render_views(coefficients, FACE_MODEL, FaceRenderer(), batch.K, 48)


def test_the_truth_costs_nothing_and_a_millimetre_costs_a_millimetre():
    views = views_of()
    truth = dataclasses.replace(
        BATCH.truth,
        verts_neutral=views.verts_neutral,
        verts_posed=views.mesh.verts,
        T_cam_model=views.T_cam_model,
    )
    batch = dataclasses.replace(BATCH, truth=truth, landmarks=views.landmarks)
    assert GroundTruth()(views, batch).max() < 1e-2
    moved = dataclasses.replace(truth, verts_neutral=truth.verts_neutral + torch.tensor([0.0, 3.0, 4.0]))
    found = GroundTruth()(views, dataclasses.replace(batch, truth=moved))
    torch.testing.assert_close(found, torch.full((2,), 5.0), atol=1e-2, rtol=0)


def test_gradients_reach_every_group_and_are_finite():
    identity = torch.zeros(2, 2, 80, requires_grad=True)
    expression = torch.zeros(2, 2, 52, requires_grad=True)
    GroundTruth()(views_of(identity=identity, expression=expression), BATCH).sum().backward()
    for group in (identity, expression):
        assert group.grad.isfinite().all()
        assert group.grad.abs().sum() > 0


def test_data_without_truth_are_left_out():
    batch = dataclasses.replace(BATCH, truth=None)
    loss = GroundTruth()
    assert not loss.applies(batch).any()
    assert loss.applies(BATCH).all()
    assert loss(views_of(), batch).tolist() == [0, 0]


def test_another_topology_and_negative_weights_are_refused():
    fewer = {name: getattr(BATCH.truth, name)[..., :100, :] for name in ("verts_neutral", "verts_posed")}
    truth = dataclasses.replace(BATCH.truth, **fewer)
    with pytest.raises(MGCError, match="100 vertices"):
        GroundTruth()(views_of(), dataclasses.replace(BATCH, truth=truth))
    with pytest.raises(MGCError, match="rotation"):
        GroundTruth(rotation=-1)
