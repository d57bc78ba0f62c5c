"""Colours of vertices as files have them: of any type and range, in display space or in linear light."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

OVERBRIGHT = 2.0
"""Floats up to this are of [0, 1], and brighter than white; a file of 0..255 as dark as that would be black."""


def unit_colors(values: Shaped[NDArray, "N C"]) -> Float[NDArray, "N 3"]:
    """Bring colours as they are stored to [0, 1], and drop opacity.

    Bytes are of 0..255. Other types do not say what white is: where one is brighter than 1 (of floats), than 255, than
    65535 tells. Writers keep bytes in wider integers, and in floats; a file of the wider range whose brightest value is
    below that would be as good as black.

    Args:
        values: (N, 3) or (N, 4) of any type of numbers.

    Example:
        >>> unit_colors(np.array([[255, 51, 0, 255]], np.uint8)).tolist()
        [[1.0, 0.2, 0.0]]
        >>> unit_colors(np.array([[65535, 13107, 0]], np.uint16)).tolist()
        [[1.0, 0.2, 0.0]]
        >>> unit_colors(np.array([[255.0, 51.0, 0.0], [0.0, 0.0, 127.5]])).tolist()
        [[1.0, 0.2, 0.0], [0.0, 0.0, 0.5]]
    """
    colors = np.nan_to_num(values[:, :3].astype(np.float64))
    brightest = float(colors.max(initial=0.0))
    if values.dtype.kind == "f" and brightest <= OVERBRIGHT:
        white = 1.0
    elif brightest <= 255.0:
        white = 255.0
    elif brightest <= 65535.0:
        white = 65535.0
    else:
        white = float(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else brightest
    return (colors / white).clip(0.0, 1.0)


def srgb_to_linear(colors: Float[NDArray, "*N"]) -> Float[NDArray, "*N"]:
    """Convert display-space colour to linear light (IEC 61966-2-1)."""
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(colors: Float[NDArray, "*N"]) -> Float[NDArray, "*N"]:
    """Convert linear light to display-space colour (IEC 61966-2-1).

    Example:
        >>> linear_to_srgb(np.array([0.0, 0.2140, 1.0])).round(2).tolist()  # middle grey
        [0.0, 0.5, 1.0]
    """
    return np.where(colors <= 0.0031308, colors * 12.92, 1.055 * colors ** (1 / 2.4) - 0.055)
