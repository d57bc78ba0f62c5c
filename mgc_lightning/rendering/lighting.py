"""Second-order spherical-harmonic light of Lambertian faces (Ramamoorthi & Hanrahan 2001; MGCNet sec. 3)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import LIGHT_SIZE

BANDS = 9
# A_l (cosine lobe) times the constant of Y_lm, for l = 0, 1, 2.
_CONSTANT = math.pi / math.sqrt(4 * math.pi)
_LINEAR = (2 * math.pi / math.sqrt(3)) * (math.sqrt(3) / math.sqrt(4 * math.pi))
_QUADRATIC = (2 * math.pi / math.sqrt(8)) * (3 * math.sqrt(5) / math.sqrt(12 * math.pi))


def sh_basis(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """Evaluate the nine irradiance harmonics at unit normals.

    Args:
        normals: (..., 3) unit vectors; MGCNet uses the head (model) frame.

    Returns:
        (..., 9) in the order 1, -y, z, -x, xy, -yz, 3z^2 - 1, -xz, x^2 - y^2, each with its constant.

    Example:
        >>> [round(value, 4) for value in sh_basis(torch.tensor([1.0, 2.0, 2.0]) / 3).tolist()]
        [0.8862, -1.1816, 1.1816, -0.5908, 0.5393, -1.0787, 0.2335, -0.5393, -0.4045]
    """
    x, y, z = normals.unbind(-1)
    quadratic = _QUADRATIC * x
    return torch.stack(
        [
            torch.full_like(x, _CONSTANT),
            -_LINEAR * y,
            _LINEAR * z,
            -_LINEAR * x,
            quadratic * y,
            -_QUADRATIC * y * z,
            (_QUADRATIC / (2 * math.sqrt(3))) * (3 * z.square() - 1),
            -quadratic * z,
            (_QUADRATIC / 2) * (x.square() - y.square()),
        ],
        dim=-1,
    )


def shade(normals: Float[Tensor, "*batch N 3"], light: Float[Tensor, "*batch 27"]) -> Float[Tensor, "*batch N 3"]:
    """Give the RGB factor that multiplies albedo, not clipped.

    Args:
        normals: (..., N, 3) unit vectors in the frame of the light (the head frame).
        light: (..., 27) absolute coefficients, colour-major: R 9, G 9, B 9.

    Returns:
        (..., N, 3), may be negative or exceed 1.

    Example:
        >>> flat = torch.zeros(27)
        >>> flat[::9] = 0.8
        >>> shade(torch.tensor([[0.0, 0.0, 1.0]]), flat).mean().item()  # doctest: +ELLIPSIS
        0.70898...
    """
    per_colour = light.unflatten(-1, (LIGHT_SIZE // BANDS, BANDS))
    return sh_basis(normals) @ per_colour.mT
