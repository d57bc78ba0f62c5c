"""Landmarks drawn on pictures."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from mgc_lightning.pictures.drawing import Picture, to_picture, upscale

LANDMARK_GROUPS: dict[str, tuple[slice, bool, tuple[int, int, int]]] = {
    "jaw": (slice(0, 17), False, (64, 196, 255)),
    "right brow": (slice(17, 22), False, (255, 196, 64)),
    "left brow": (slice(22, 27), False, (255, 196, 64)),
    "nose bridge": (slice(27, 31), False, (120, 255, 120)),
    "nose base": (slice(31, 36), False, (120, 255, 120)),
    "right eye": (slice(36, 42), True, (255, 128, 220)),
    "left eye": (slice(42, 48), True, (255, 128, 220)),
    "outer lips": (slice(48, 60), True, (255, 96, 96)),
    "inner lips": (slice(60, 68), True, (255, 96, 96)),
}
"""The iBUG 68 by groups: indices, whether the line closes, colour."""


def draw_landmarks(
    image: Tensor | NDArray,
    points: Float[Tensor, "N 2"] | Float[NDArray, "N 2"],
    color: tuple[int, int, int] | None = None,
    minimum: int = 256,
) -> Picture:
    """Draw points, and for 68 of them the lines of the face; small images are enlarged first.

    Args:
        image: as `to_picture` takes it.
        points: (N, 2) px of `image`, pixel centres at +.5; points that are not finite are left out.
        color: of all points; if not given, each group has its own.
        minimum: shorter side of the result, at least.

    Example:
        >>> picture = draw_landmarks(np.zeros((64, 64, 3)), np.array([[32.0, 32.0], [np.nan, 0.0]]), color=(255, 0, 0))
        >>> picture.shape, picture[128, 128].tolist()
        ((256, 256, 3), [255, 0, 0])
    """
    picture = upscale(image, minimum)
    factor = picture.shape[0] / to_picture(image).shape[0]
    places = torch.as_tensor(points).detach().double().cpu().numpy().reshape(-1, 2) * factor
    # Drawn at twice the size and reduced: PIL does not smooth edges.
    canvas = Image.fromarray(picture).resize((picture.shape[1] * 2, picture.shape[0] * 2))
    draw, places = ImageDraw.Draw(canvas), places * 2
    # Sizes follow the face, not the photograph that it is in.
    finite = places[np.isfinite(places).all(axis=1)]
    extent = float(np.hypot(*np.ptp(finite, axis=0))) if len(places) == 68 and len(finite) else 0.0
    unit = max(extent / 150, 1.0) if extent else min(canvas.size) / 256
    groups = LANDMARK_GROUPS if len(places) == 68 else {"points": (slice(None), False, (96, 255, 96))}
    for part, closed, own in groups.values():
        chosen = places[part][np.isfinite(places[part]).all(axis=1)]
        ink = color or own
        if len(places) == 68 and len(chosen) > 1:
            line = [tuple(p) for p in chosen] + ([tuple(chosen[0])] if closed else [])
            draw.line(line, fill=ink, width=max(1, round(0.9 * unit)), joint="curve")
        radius = (1.2 if len(places) == 68 else 2.4) * unit
        for x, y in chosen:
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=ink, outline=(0, 0, 0) if len(places) != 68 else None, width=round(0.5 * unit))
    return np.asarray(canvas.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BOX))
