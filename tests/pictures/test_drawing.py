"""Pictures: right colours in the right places, readable when small, whole files."""

import numpy as np
import pytest
import torch
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.pictures.drawing import fit_into, overlay, save_png, to_picture, upscale
from mgc_lightning.pictures.error_ramp import color_bar, error_colors
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet


def test_to_picture_takes_what_images_are():
    tensor = torch.tensor([1.0, 0.5, 2.0])[:, None, None].expand(3, 4, 5)
    picture = to_picture(tensor)
    assert picture.shape == (4, 5, 3)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [255, 128, 255]
    np.testing.assert_array_equal(to_picture(picture), picture)
    assert to_picture(np.zeros((4, 5))).shape == (4, 5, 3)
    assert to_picture(torch.full((1, 2, 2), float("nan"))).max() == 0
    with pytest.raises(MGCError, match="one image"):
        to_picture(torch.zeros(2, 3, 4, 4))


def test_overlay_blends_by_alpha_and_opacity():
    below, above = torch.zeros(3, 2, 2), torch.ones(3, 2, 2)
    alpha = torch.tensor([[[0.0, 0.5], [1.0, 1.0]]])
    assert overlay(below, above, alpha)[..., 0].tolist() == [[0, 128], [255, 255]]
    assert overlay(below, above, alpha, opacity=0.5).max() == 128
    with pytest.raises(MGCError, match="sizes differ"):
        overlay(below, torch.ones(3, 4, 4), alpha)


def test_small_images_are_enlarged_before_drawing():
    image = torch.zeros(3, 32, 32)
    assert upscale(image, 100).shape == (128, 128, 3)
    assert upscale(torch.zeros(3, 300, 400), 256).shape == (300, 400, 3)
    points = torch.tensor([[16.0, 8.0], [float("nan"), 4.0]])
    drawn = draw_landmarks(image, points, color=(0, 255, 0), minimum=128)
    green = np.argwhere(drawn[..., 1] > 200)
    np.testing.assert_allclose(green.mean(axis=0) + 0.5, [32, 64], atol=0.6)  # row, column, at 4x


def test_sixty_eight_points_have_lines():
    points = torch.rand(68, 2) * 100
    few = draw_landmarks(torch.zeros(3, 112, 112), points[:67])
    many = draw_landmarks(torch.zeros(3, 112, 112), points)
    assert (many > 0).any(axis=2).sum() > (few > 0).any(axis=2).sum()


def test_error_colours():
    colors = error_colors(torch.tensor([0.0, 2.0, 5.0, float("nan")]), maximum=2.0)
    assert colors.shape == (4, 3)
    assert torch.equal(colors[1], colors[2])
    assert colors[0].sum() > colors[1].sum()  # pale to dark red
    assert colors[3].tolist() == [0.5, 0.5, 0.5]
    assert error_colors(torch.zeros(2, 7), 0.0).isfinite().all()


def test_fit_into_keeps_the_aspect():
    fitted = fit_into(torch.ones(3, 10, 40), 80, 80)
    white = (fitted == 255).all(axis=2)
    assert white.sum(axis=0).max() == 20
    assert white.sum(axis=1).max() == 80


def test_sheet_places_every_picture():
    red = torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 8, 8)
    blue = red.flip(0)
    made = sheet([[red, blue], [None, red]], ["input", "overlay"], ["first", "second " * 50], tile=64, gap=4)
    assert made.shape[1] == 2 * 68 + 4
    assert (made == [255, 0, 0]).all(axis=2).sum() == 2 * 64 * 64
    assert (made == [0, 0, 255]).all(axis=2).sum() == 64 * 64
    with pytest.raises(MGCError, match="at least one"):
        sheet([])


def test_label_and_bar_have_text():
    for made in (label(torch.zeros(3, 40, 60), "überlay"), color_bar(2.5, "mm", 128)):
        assert made.max() > 200
    assert label(torch.zeros(3, 40, 60), "x", size=10).shape == (56, 60, 3)


def test_save_png(tmp_path):
    image = torch.rand(3, 5, 6)
    path = save_png(tmp_path / "a" / "ä b.png", image)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), to_picture(image))
    with pytest.raises(MGCError):
        save_png(tmp_path / "bad.png", torch.zeros(7))
    assert not (tmp_path / "bad.png").exists()
