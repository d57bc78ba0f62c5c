"""Colours of errors, and their legend."""

from __future__ import annotations

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from mgc_lightning.pictures.drawing import BACKGROUND, INK, Picture, _font, to_picture

ERROR_MAP = "YlOrRd"
"""Default colour map of errors: pale where small, so that shading stays visible, red where large."""


def error_colors(
    distances: Float[Tensor, "*batch N"], maximum: float, name: str = ERROR_MAP
) -> Float[Tensor, "*batch N 3"]:
    """Colour vertex errors.

    Args:
        distances: (..., N), any unit; not finite ones become grey.
        maximum: the value that gets the last colour.
        name: a matplotlib colour map.

    Returns:
        (..., N, 3) in [0, 1], on the device of `distances`.

    Example:
        >>> colors = error_colors(torch.tensor([0.0, 6.0, torch.nan]), maximum=6.0)
        >>> colors.shape, bool(colors[0, 1] > colors[1, 1])  # pale where small, red where large
        (torch.Size([3, 3]), True)
    """
    table = torch.tensor(matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3], dtype=torch.float32)
    finite = distances.isfinite()
    index = (torch.where(finite, distances, 0.0) / max(maximum, 1e-12) * 255).clamp(0, 255).round().long()
    colors = table.to(distances.device)[index]
    return torch.where(finite[..., None], colors, 0.5)


def color_bar(maximum: float, unit: str = "mm", height: int = 256, name: str = ERROR_MAP) -> Picture:
    """Draw the legend of `error_colors`: a vertical bar from 0 to `maximum`.

    Example:
        >>> color_bar(maximum=5.0, height=128).shape
        (128, 64, 3)
    """
    font = _font(max(11, height // 16))
    width = 24 + round(font.getlength(f"{maximum:g} {unit}")) + 14
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    top, bottom = height // 12, height - height // 12
    ramp = error_colors(torch.linspace(maximum, 0, bottom - top), maximum, name)
    bar = to_picture(ramp[:, None].expand(-1, 16, -1).numpy())
    canvas.paste(Image.fromarray(bar), (6, top))
    draw = ImageDraw.Draw(canvas)
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.text((28, y), f"{maximum * share:g} {unit}", fill=INK, font=font, anchor="lm")
    return np.asarray(canvas)
