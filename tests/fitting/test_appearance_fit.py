"""Albedo and light from pictures whose geometry is known."""

from dataclasses import replace

import pytest
import torch

from mgc_lightning import FaceRenderer, load_face_model, make_triplets, render_views
from mgc_lightning.fitting import fit_appearance, initial_coefficients
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.rendering.lighting import shade

SIZE = 96


@pytest.fixture(scope="module")
def model():
    return load_face_model()


def views_of(model, coefficients, K):
    return render_views(coefficients, model, FaceRenderer(), K, SIZE)


@pytest.fixture(scope="module")
def known(model):
    """Two views of one person, drawn with the model's own colours under two lights."""
    draw = torch.Generator().manual_seed(0)
    K = intrinsics(SIZE).expand(1, 2, 3, 3)
    start = initial_coefficients(model, K, SIZE)
    start.pose[0, :, 1] += torch.tensor([-0.3, 0.3])
    albedo = torch.randn(1, 1, model.layout.albedo, generator=draw).expand(1, 2, -1)
    light = start.light + 0.1 * torch.randn(1, 2, 27, generator=draw)
    truth = replace(start, albedo=albedo, light=light)
    images = views_of(model, truth, K).rendered.image.unflatten(0, (1, 2))
    return start, truth, images, K


def lit(model, coefficients, normals):
    colours = model.texture(coefficients.albedo) * shade(normals, coefficients.light)
    return colours[..., model.face_mask, :]


def test_colours_are_found(model, known):
    start, truth, images, K = known
    views = views_of(model, start, K)
    found = fit_appearance(model, views, images, torch.ones_like(images[:, :, :1]))
    normals = views.mesh.normals
    before, after = ((lit(model, c, normals) - lit(model, truth, normals)).abs().mean() for c in (start, found))
    assert after < 0.015
    assert after < 0.25 * before
    assert torch.equal(found.albedo[:, 0], found.albedo[:, 1])
    for name in ("identity", "expression", "pose"):
        assert torch.equal(getattr(found, name), getattr(start, name))


def test_what_hides_the_skin_does_not_colour_it(model, known):
    start, truth, images, K = known
    views = views_of(model, start, K)
    hidden = images.clone()
    hidden[..., 55:, 30:66] = torch.tensor([0.1, 0.2, 0.9])[:, None, None]
    everything = torch.ones_like(images[:, :, :1])
    clean = fit_appearance(model, views, images, everything)
    found = fit_appearance(model, views, hidden, everything)
    away = (lit(model, found, views.mesh.normals) - lit(model, clean, views.mesh.normals)).abs().mean()
    assert away < 0.03
    skin = everything.clone()
    skin[..., 53:, 28:68] = 0
    assert torch.allclose(
        fit_appearance(model, views, hidden, skin).albedo, fit_appearance(model, views, images, skin).albedo, atol=1e-4
    )


def test_a_face_out_of_sight_keeps_its_prediction(model, known):
    start, _, images, K = known
    found = fit_appearance(model, views_of(model, start, K), images, torch.zeros_like(images[:, :, :1]))
    torch.testing.assert_close(found.albedo, start.albedo, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.light, start.light, rtol=0, atol=1e-4)


def test_samples_do_not_know_each_other(model):
    batch = make_triplets(model, 2, image_size=SIZE, views=1)
    start = initial_coefficients(model, batch.K, SIZE)
    views = views_of(model, start, batch.K)
    both = fit_appearance(model, views, batch.images, batch.skin)
    one = views_of(model, start.map(lambda g: g[1:]), batch.K[1:])
    alone = fit_appearance(model, one, batch.images[1:], batch.skin[1:])
    torch.testing.assert_close(both.albedo[1:], alone.albedo, rtol=1e-3, atol=1e-3)
