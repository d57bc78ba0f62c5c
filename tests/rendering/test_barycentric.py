import pytest
import torch
from rasterizer_reference import random_scene

from mgc_lightning.rendering.barycentric import CoveredPixels
from mgc_lightning.rendering.rasterizers import get_rasterizer


def _pixels(verts, faces, size=(12, 14), dtype=torch.float64):
    pix_to_face, _ = get_rasterizer("numba")(verts, faces, size)
    return CoveredPixels.of(pix_to_face, faces, verts.shape[1], dtype)


def _naive(verts, pixels):
    """The definition, differentiated by autograd."""
    corners = verts.reshape(-1, 3)[pixels.corners]
    spokes = corners[..., :2] - pixels.centre.t()
    areas = [spokes[j, :, 0] * spokes[k, :, 1] - spokes[j, :, 1] * spokes[k, :, 0] for j, k in ((1, 2), (2, 0), (0, 1))]
    weights = torch.stack(areas) / corners[..., 2]
    return weights / weights.sum(0)


def _sturdy_scene():
    """Large triangles in front of the camera: finite differences must not change who wins."""
    generator = torch.Generator().manual_seed(3)
    verts = torch.rand(2, 7, 3, generator=generator, dtype=torch.float64) * 14
    verts[..., 2] = 500 + 30 * verts[..., 2]
    return verts, torch.tensor([[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 0, 3]])


def test_centroid_and_corner_of_a_triangle_facing_the_camera():
    verts = torch.tensor([[[0.5, 0.5, 100.0], [6.5, 0.5, 100.0], [0.5, 6.5, 100.0]]])
    pixels = _pixels(verts, torch.tensor([[0, 1, 2]]), dtype=torch.float32)
    bary = pixels.images(pixels.barycentrics(verts))[0]
    torch.testing.assert_close(bary[:, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(bary[:, 2, 2], torch.full((3,), 1 / 3))
    torch.testing.assert_close(bary[:, 0, 6], torch.tensor([0.0, 1.0, 0.0]))
    assert (bary[:, 6, 6] == 0).all()


def test_perspective_gives_the_nearer_corner_more_weight():
    verts = torch.tensor([[[0.0, 0.5, 100.0], [8.0, 0.5, 300.0], [4.0, 30.0, 200.0]]])
    pixels = _pixels(verts, torch.tensor([[0, 1, 2]]), size=(1, 8), dtype=torch.float32)
    bary = pixels.barycentrics(verts)
    u = pixels.centre[0]
    # On the edge between the first two corners 1/z is linear: b0 = (1 - s) / z0 / (1 / z), s = u / 8.
    s = u / 8
    expected = ((1 - s) / 100) / ((1 - s) / 100 + s / 300)
    torch.testing.assert_close(bary[0], expected)
    torch.testing.assert_close(bary[2], torch.zeros_like(s), atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_agree_with_the_definition(seed):
    verts, faces = random_scene(seed=seed)
    verts = verts.double()
    pixels = _pixels(verts, faces)
    weights = torch.randn(3, len(pixels.index), dtype=torch.float64)
    # Slivers have a gradient of any size; leave them to the tests below.
    corners = verts.reshape(-1, 3)[pixels.corners]
    sides = corners[1:, :, :2] - corners[:1, :, :2]
    weights *= (sides[0, :, 0] * sides[1, :, 1] - sides[0, :, 1] * sides[1, :, 0]).abs() > 0.5
    results = []
    for function in (lambda v: pixels.barycentrics(v), lambda v: _naive(v, pixels)):
        leaf = verts.clone().requires_grad_()
        bary = function(leaf)
        (bary * weights).sum().backward()
        results.append((bary.detach(), leaf.grad))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-8, rtol=0)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-10, rtol=1e-9)


def test_gradcheck_of_barycentrics():
    verts, faces = _sturdy_scene()
    pixels = _pixels(verts, faces)
    assert torch.autograd.gradcheck(pixels.barycentrics, verts.requires_grad_(), atol=1e-6)


def test_gradcheck_of_interpolation():
    verts, faces = _sturdy_scene()
    pixels = _pixels(verts, faces)
    bary = torch.rand(3, len(pixels.index), dtype=torch.float64, requires_grad=True)
    attributes = torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pixels.interpolate, (attributes, bary))


def test_gradient_is_computed_only_where_asked():
    verts, faces = _sturdy_scene()
    pixels = _pixels(verts, faces)
    bary = pixels.barycentrics(verts)
    attributes = torch.randn(2, 7, 1, dtype=torch.float64, requires_grad=True)
    pixels.interpolate(attributes, bary).sum().backward()
    # Every pixel hands out a weight of one in all.
    assert attributes.grad.sum().item() == pytest.approx(len(pixels.index))


@pytest.mark.parametrize("thickness", [1e-2, 1e-4, 1e-5, 3e-6])
def test_slivers_stay_within_the_simplex_and_have_a_finite_gradient(thickness):
    # Longer than the image and thinner than float32 resolves, through a row of pixel centres.
    verts = torch.tensor([[[-3.0, 4.5 - thickness, 90.0], [9.0, 4.5, 5000.0], [-2.0, 4.5 + thickness, 70.0]]])
    verts.requires_grad_()
    pixels = _pixels(verts, torch.tensor([[0, 1, 2]]), dtype=torch.float32)
    assert len(pixels.index)
    bary = pixels.barycentrics(verts)
    bary.square().sum().backward()
    assert (bary >= 0).all()
    torch.testing.assert_close(bary.sum(0).detach(), torch.ones(len(pixels.index)))
    assert verts.grad.isfinite().all()


def test_images_and_gather_are_inverse_and_put_values_at_their_pixels():
    verts, faces = random_scene(batch=3)
    pixels = _pixels(verts, faces, size=(9, 14), dtype=torch.float32)
    values = torch.randn(2, len(pixels.index))
    images = pixels.images(values)
    assert images.shape == (3, 2, 9, 14)
    view, row, column = pixels.view, (pixels.centre[1] - 0.5).long(), (pixels.centre[0] - 0.5).long()
    assert (images[view, :, row, column] == values.t()).all()
    assert (pixels.gather(images.permute(0, 2, 3, 1)) == values).all()
    assert images.count_nonzero() == values.numel()
    leaf = values.double().requires_grad_()
    assert torch.autograd.gradcheck(pixels.images, leaf)


def test_no_covered_pixel():
    faces = torch.zeros(0, 3, dtype=torch.int64)
    verts = torch.rand(2, 5, 3, requires_grad=True)
    pixels = _pixels(verts, faces, dtype=torch.float32)
    bary = pixels.barycentrics(verts)
    image = pixels.images(pixels.interpolate(verts, bary))
    image.sum().backward()
    assert image.shape == (2, 3, 12, 14)
    assert (verts.grad == 0).all()
