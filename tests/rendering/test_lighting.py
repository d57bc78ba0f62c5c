import math

import pytest
import torch

from mgc_lightning.rendering.lighting import sh_basis, shade


@pytest.mark.parametrize(
    ("normal", "expected"),
    [
        ((0.0, 0.0, 1.0), (0.886227, 0, 1.772454, 0, 0, 0, 1.401248, 0, 0)),
        ((0.6, 0.0, 0.8), (0.886227, 0, 1.417963, -1.063472, 0, 0, 0.644574, -1.164976, 0.436866)),
    ],
)
def test_known_answers(normal, expected):
    basis = sh_basis(torch.tensor(normal, dtype=torch.float64))
    torch.testing.assert_close(basis, torch.tensor(expected, dtype=torch.float64), atol=6e-7, rtol=0)


def test_ambient_light_alone_shades_flat():
    normals = torch.nn.functional.normalize(torch.randn(2, 7, 3), dim=-1)
    light = torch.zeros(2, 27)
    light[:, ::9] = 0.8
    torch.testing.assert_close(shade(normals, light), torch.full((2, 7, 3), 0.708982))


def test_light_is_colour_major():
    light = torch.zeros(27)
    light[9] = 1.0
    green = shade(torch.tensor([[0.0, 1.0, 0.0]]), light)
    torch.testing.assert_close(green, torch.tensor([[0.0, math.sqrt(math.pi) / 2, 0.0]]))


def test_harmonics_are_orthogonal_over_the_sphere():
    normals = torch.nn.functional.normalize(torch.randn(200_000, 3, dtype=torch.float64), dim=-1)
    basis = sh_basis(normals)
    gram = basis.mT @ basis / len(normals)
    off = gram - gram.diagonal().diag()
    assert off.abs().max() < 0.02 * gram.max()


def test_gradient():
    normals = torch.randn(2, 3, 3, dtype=torch.float64)
    light = torch.randn(2, 27, dtype=torch.float64)
    assert torch.autograd.gradcheck(shade, (normals.requires_grad_(), light.requires_grad_()))
