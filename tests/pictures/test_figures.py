"""Figures: antialiased, of any aspect, in the place where the plain render is."""

from typing import get_args

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.pictures.figures import Style, draw_face
from mgc_lightning.rendering.renderer import FaceRenderer


@pytest.fixture(scope="module")
def scene():
    model = load_face_model("makehuman", level=0)
    coefficients = model.mean_coefficients(2)
    return model(coefficients), pose_to_transform(coefficients.pose), coefficients.light, FaceRenderer()


@pytest.mark.parametrize("style", get_args(Style))
def test_figures_agree_with_the_render_inside_and_are_soft_at_the_edge(scene, style):
    mesh, T, light, renderer = scene
    K = intrinsics(64)
    figure = draw_face(renderer, mesh, T, K, 64, style, light=light, colors=torch.full_like(mesh.albedo, 0.5))
    plain = renderer(mesh, T, K, light, 64)
    assert figure.image.shape == (2, 3, 64, 64)
    assert figure.image.min() >= 0
    assert figure.image.max() <= 1
    assert set(figure.alpha.unique().tolist()) > {0.0, 0.5, 1.0}
    assert (figure.alpha - plain.mask).abs().mean() < 0.02
    if style == "lit":
        inside = (figure.alpha == 1).expand_as(figure.image)
        assert (figure.image - plain.image.clamp(max=1)).abs()[inside].median() < 0.02
    if style == "painted":
        facing = figure.image[:, :, 40, 32]
        assert facing.sub(0.5).abs().max() < 0.12


def test_window_of_another_shape_sees_the_same(scene):
    mesh, T, light, renderer = scene
    K = intrinsics(64)
    whole = draw_face(renderer, mesh, T, K, 64, "geometry", light=light)
    shifted = K.clone()
    shifted[0, 2] -= 10
    shifted[1, 2] -= 20
    part = draw_face(renderer, mesh, T, shifted, (30, 40), "geometry")
    torch.testing.assert_close(part.image, whole.image[:, :, 20:50, 10:50], atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("lit", "`style=lit` needs `light`"),
        ("painted", "`style=painted` needs `colors`"),
        ("wireframe", "`style` must be one of lit, albedo, geometry, painted; got 'wireframe'"),
    ],
)
def test_missing_ingredients(scene, style, message):
    mesh, T, _, renderer = scene
    with pytest.raises(MGCError, match=message):
        draw_face(renderer, mesh, T, intrinsics(32), 32, style)
