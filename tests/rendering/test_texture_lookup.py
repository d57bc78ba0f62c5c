"""Textures read at the pixels of a surface."""

import torch

from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.rendering.textured import sample_texture

SIZE = 32
K = torch.tensor([[float(SIZE), 0, SIZE / 2], [0, float(SIZE), SIZE / 2], [0, 0, 1]])


def square(side=1.0, z=1000.0):
    """Give a square before the camera that fills `side` of the picture, and its texture places, right and down."""
    half = side / 2 * z
    verts = torch.tensor([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    return verts[None], torch.tensor([[0, 1, 2], [0, 2, 3]]), torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def draw(texture, side=1.0, **placed):
    verts, faces, uv = square(side, **placed)
    fragments = FaceRenderer().rasterize(verts, faces, K, SIZE)
    return sample_texture(fragments, uv, texture)[0], fragments.mask[0]


def test_a_texture_of_the_pictures_size_comes_out_as_it_is():
    texture = torch.rand(3, SIZE, SIZE)
    image, _ = draw(texture)
    assert torch.allclose(image, texture, atol=1e-4)


def test_the_background_is_zero():
    image, mask = draw(torch.ones(3, 8, 8), side=0.5)
    assert mask.sum() == (SIZE // 2) ** 2
    assert (image[:, mask] > 0.999).all()
    assert (image[:, ~mask] == 0).all()


def test_a_fine_texture_is_averaged_not_skipped():
    # Stripes of one texel: reading one texel of eight would give black or white, not grey.
    stripes = (torch.arange(8 * SIZE) % 2).float().expand(3, 8 * SIZE, -1)
    image, _ = draw(stripes)
    assert (image - 0.5).abs().max() < 0.1


def test_perspective():
    # A floor that runs away from the camera: the middle row of the picture is not the middle of the texture.
    verts = torch.tensor([[[-500.0, 400, 900], [500, 400, 900], [500, 400, 4000], [-500, 400, 4000]]])
    uv = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    fragments = FaceRenderer().rasterize(verts, torch.tensor([[0, 1, 2], [0, 2, 3]]), K, SIZE)
    ramp = torch.linspace(0, 1, 257)[:, None].expand(3, -1, 8)
    image = sample_texture(fragments, uv, ramp)[0, 0]
    rows = fragments.mask[0, :, SIZE // 2].nonzero()[:, 0]
    depth = SIZE * 400 / (rows + 0.5 - SIZE / 2)
    assert torch.allclose(image[rows, SIZE // 2], (4000 - depth) / 3100, atol=0.01)
