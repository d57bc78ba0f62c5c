"""Alignment of crops: known similarities, warps that carry landmarks along, bad input."""

import math

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.landmarks68 import TEMPLATE_5
from mgc_lightning.photographs.crop import (
    fit_similarity_2d,
    five_points,
    invert_similarity,
    similarity_scale,
    similarity_to_template,
    template,
    transform_points2d,
    warp_to_crop,
)


def similarity(scale: float, degrees: float, u: float, v: float) -> torch.Tensor:
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, u], [s, c, v]])


def test_five_points_are_eye_centres_nose_base_and_mouth_corners():
    landmarks = torch.arange(68.0)[:, None].expand(68, 3)
    assert five_points(landmarks)[:, 0].tolist() == [38.5, 44.5, 33.0, 48.0, 54.0]
    assert five_points(torch.randn(2, 3, 68, 2)).shape == (2, 3, 5, 2)


@pytest.mark.parametrize("size", [96, 224])
def test_template_points_need_no_alignment(size):
    matrix = similarity_to_template(torch.tensor(TEMPLATE_5) * size / 224, size)
    torch.testing.assert_close(matrix, similarity(1, 0, 0, 0), atol=1e-4, rtol=0)


def test_known_similarity_is_recovered_for_any_batch_shape():
    points = torch.randn(4, 3, 9, 2) * 50 + 100
    truth = similarity(0.37, 152, -12, 40).expand(4, 3, 2, 3)
    found = fit_similarity_2d(points, transform_points2d(truth, points))
    torch.testing.assert_close(found, truth, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(similarity_scale(found), torch.full((4, 3), 0.37), atol=1e-5, rtol=1e-4)


def test_a_mirrored_face_is_not_reflected():
    mirrored = template() * torch.tensor([-1.0, 1.0])
    matrix = fit_similarity_2d(mirrored, template())
    assert torch.linalg.det(matrix[:, :2]) > 0


def test_fit_is_the_least_squares_optimum():
    source, target = torch.randn(5, 2).double(), torch.randn(5, 2).double()
    matrix = fit_similarity_2d(source, target)

    def error(change: torch.Tensor) -> torch.Tensor:
        a, b, u, v = change
        moved = matrix + torch.stack([torch.stack([a, -b, u]), torch.stack([b, a, v])])
        return (transform_points2d(moved, source) - target).square().sum()

    gradient = torch.autograd.functional.jacobian(error, torch.zeros(4).double())
    assert gradient.abs().max() < 1e-9


def test_fit_passes_gradcheck():
    source, target = (torch.randn(2, 5, 2).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(fit_similarity_2d, (source, target))


def test_inverse_brings_points_back():
    matrix = torch.stack([similarity(0.3, 20, 5, -9), similarity(4, -170, 100, 3)])
    points = torch.rand(2, 7, 2) * 200
    back = transform_points2d(invert_similarity(matrix), transform_points2d(matrix, points))
    torch.testing.assert_close(back, points, atol=1e-3, rtol=0)


def test_identity_warp_is_exact():
    image = torch.rand(1, 3, 40, 40)
    torch.testing.assert_close(warp_to_crop(image, similarity(1, 0, 0, 0)[None], 40), image, atol=1e-5, rtol=0)


def test_whole_pixel_shift_moves_pixels():
    image = torch.rand(1, 1, 32, 48)
    crop = warp_to_crop(image, similarity(1, 0, -5, -3)[None], 20)
    torch.testing.assert_close(crop, image[..., 3:23, 5:25], atol=1e-5, rtol=0)


def test_outside_repeats_the_border():
    image = torch.rand(1, 1, 8, 8)
    crop = warp_to_crop(image, similarity(1, 0, 4, 4)[None], 8)
    torch.testing.assert_close(crop[..., :5, :5], image[..., :1, :1].expand(1, 1, 5, 5), atol=1e-5, rtol=0)
    assert warp_to_crop(image, similarity(1, 0, 4, 4)[None], 8, padding="zeros")[..., :3, :3].abs().max() == 0


@pytest.mark.parametrize("antialias", [False, True])
def test_warp_carries_a_blob_to_where_its_point_goes(antialias):
    height, width = 300, 400
    point = torch.tensor([[210.3, 140.8]])
    u, v = torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy")
    image = torch.exp(-((u - point[0, 0]) ** 2 + (v - point[0, 1]) ** 2) / (2 * 12**2))[None, None]
    matrix = similarity(0.31, 25, 20, -35)[None]
    crop = warp_to_crop(image, matrix, 96, antialias=antialias)[0, 0]
    axis = torch.arange(96) + 0.5
    centroid = torch.stack([(crop.sum(0) * axis).sum(), (crop.sum(1) * axis).sum()]) / crop.sum()
    torch.testing.assert_close(centroid, transform_points2d(matrix, point[None])[0, 0], atol=0.03, rtol=0)


def test_antialias_averages_what_bilinear_skips():
    stripes = (torch.arange(400) % 2).float().expand(1, 1, 400, 400)
    matrix = similarity(0.1, 0, 0, 0)[None]
    smooth = warp_to_crop(stripes, matrix, 40, antialias=True)[..., 2:-2, 2:-2]
    torch.testing.assert_close(smooth, torch.full_like(smooth, 0.5), atol=0.02, rtol=0)


def test_aligned_face_lands_on_the_template():
    image_points = transform_points2d(similarity(2.7, -33, 400, 90), template())
    matrix = similarity_to_template(image_points, 112)
    torch.testing.assert_close(transform_points2d(matrix, image_points), template(112), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: five_points(torch.zeros(67, 2)), "68 landmarks"),
        (lambda: similarity_to_template(torch.zeros(68, 2)), "five points"),
        (lambda: similarity_to_template(torch.ones(5, 2)), "coincide"),
        (lambda: similarity_to_template(torch.full((5, 2), math.nan)), "not finite"),
    ],
)
def test_bad_points_are_refused(call, message):
    with pytest.raises(MGCError, match=message):
        call()
