"""Glasses that sit on the nose: frames, dark lenses, temples, in three dimensions, so that they turn with the head."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.synthetic.hair import _HIDDEN, unpack
from mgc_lightning.synthetic.palette import any_colour
from mgc_lightning.synthetic.settings import SyntheticSettings

_SEGMENTS = 20
FIELDS = {"worn": 1, "width": 1, "height": 1, "power": 1, "rim": 1, "colour": 3, "dark": 1, "lens": 3, "drop": 1}
NUMBERS = sum(FIELDS.values())
VERTS = 2 * (3 * _SEGMENTS + 1) + 4 + 8
"""Two rims (outer, inner), two lenses with a centre each, a bridge and two temples."""


def draw_glasses(rng: np.random.Generator, settings: SyntheticSettings) -> np.ndarray:
    """Draw a pair of glasses: (NUMBERS,) in the order of `FIELDS`, lengths in mm; zeros for none."""
    if rng.random() >= settings.glasses:
        return np.zeros(NUMBERS, dtype=np.float32)
    colour = np.full(3, rng.uniform(0.02, 0.15)) if rng.random() < 0.6 else any_colour(rng)
    dark = rng.random() < 0.3
    lens = np.array([0.05, 0.05, 0.06]) * rng.uniform(0.3, 3) + rng.uniform(0, 0.05, 3)
    values = [1, rng.uniform(21, 30), rng.uniform(14, 25), rng.uniform(2, 4.5), rng.uniform(0.8, 4.5), *colour, dark,
              *lens, rng.uniform(-2, 6)]  # fmt: skip
    return np.array(values, dtype=np.float32)


def place_glasses(
    numbers: Float[Tensor, "n G"], points: Float[Tensor, "n 68 3"]
) -> tuple[Float[Tensor, "n V 3"], Float[Tensor, "n V 3"]]:
    """Put glasses on faces.

    Args:
        numbers: rows of `draw_glasses`.
        points: the 68 landmarks, mm, model frame.

    Returns:
        vertices (n, V, 3) mm, model frame, and their colours; all in one point inside the head where none are worn.

    Example:
        >>> import numpy as np
        >>> from mgc_lightning import load_face_model, SyntheticSettings
        >>> model = load_face_model()
        >>> numbers = draw_glasses(np.random.default_rng(0), SyntheticSettings(glasses=1.0))
        >>> verts, colours = place_glasses(torch.from_numpy(numbers)[None], model.landmarks68(model.mean)[None])
        >>> verts.shape == (1, VERTS, 3), int(glasses_faces(first=0).max()) < VERTS
        (True, True)
    """
    pair = unpack(numbers, FIELDS)
    eyes = torch.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1)], 1)
    plane = points[:, 27, 2] + 4
    parts, dark = [], (pair["dark"] > 0)[:, None, None]
    hidden = points.new_tensor(_HIDDEN)
    angle = torch.arange(_SEGMENTS, device=points.device) * (2 * math.pi / _SEGMENTS)
    power = (2 / pair["power"])[:, None]
    cos = angle.cos().sign() * angle.cos().abs() ** power
    sin = angle.sin().sign() * angle.sin().abs() ** power
    for side in (0, 1):
        centre = eyes[:, side]

        def ring(grow: Tensor, centre: Tensor = centre) -> Tensor:
            x = centre[:, :1] + (pair["width"][:, None] + grow) * cos
            y = (centre[:, 1] - pair["drop"])[:, None] + (pair["height"][:, None] + grow) * sin
            # Frames bend back towards the temples.
            z = plane[:, None] - 0.004 * (x.abs() - 20).clamp(min=0).square()
            return torch.stack([x, y, z], -1)

        outer, inner = ring(pair["rim"][:, None]), ring(torch.zeros_like(plane)[:, None])
        lens = torch.cat([inner, inner.mean(1, keepdim=True)], 1)
        parts += [outer, inner, torch.where(dark, lens, hidden)]
    parts += [_bridge(parts[0], parts[3], pair), *_temples(parts[0], parts[3], points, pair)]
    verts = torch.cat(parts, 1)
    frame = pair["colour"][:, None].expand(-1, VERTS, -1).clone()
    for side in (0, 1):
        start = side * (3 * _SEGMENTS + 1) + 2 * _SEGMENTS
        frame[:, start : start + _SEGMENTS + 1] = pair["lens"][:, None]
    return torch.where((pair["worn"] > 0)[:, None, None], verts, hidden), frame


def _bridge(left: Tensor, right: Tensor, pair: dict[str, Tensor]) -> Tensor:
    half = (pair["rim"] / 2)[:, None] * left.new_tensor([0.0, 1.0, 0.0])
    a, b = left[:, 0], right[:, _SEGMENTS // 2]
    return torch.stack([a + half, a - half, b + half, b - half], 1)


def _temples(left: Tensor, right: Tensor, points: Tensor, pair: dict[str, Tensor]) -> list[Tensor]:
    half = (0.6 * pair["rim"] + 0.8)[:, None] * left.new_tensor([0.0, 1.0, 0.0])
    temples = []
    for hinge, ear, out in ((left[:, _SEGMENTS // 2], points[:, 0], -1.0), (right[:, 0], points[:, 16], 1.0)):
        end = torch.stack([ear[:, 0] + 4 * out, hinge[:, 1] + 4, ear[:, 2] - 15], -1)
        temples.append(torch.stack([hinge + half, hinge - half, end + half, end - half], 1))
    return temples


def glasses_faces(first: int) -> Int[Tensor, "F 3"]:
    """Give the triangles of `place_glasses`' vertices, whose first has the number `first`."""
    faces = []
    n, block = _SEGMENTS, 3 * _SEGMENTS + 1
    for side in (0, 1):
        start = first + side * block
        for i in range(n):
            j = (i + 1) % n
            faces += [(start + i, start + j, start + n + i), (start + j, start + n + j, start + n + i)]
            faces += [(start + 2 * n + i, start + 2 * n + j, start + 3 * n)]
    for quad in range(3):
        a = first + 2 * block + 4 * quad
        faces += [(a, a + 1, a + 2), (a + 1, a + 3, a + 2)]
    return torch.tensor(faces)
