"""Backgrounds of photographs of scans: plain walls, and rooms full of things.

Drawn by other code than those of the synthetic training pictures, so that a network meets no habit of its own training.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from mgc_lightning.errors import check_choice
from mgc_lightning.evaluation.scan.settings import Background

LEAVES = 160
"""Things in a busy background."""
SMALLEST, LARGEST = 0.02, 0.5
"""Their half-sizes in picture widths; the number falls with the cube of the size, as in photographs of scenes (Lee,
Mumford & Huang, Occlusion Models for Natural Images, IJCV 2001)."""


def draw_background(kind: Background, size: int, rng: np.random.Generator) -> Float[NDArray, "H W 3"]:
    """Paint a background in display space, [0, 1].

    Args:
        kind: `plain`, a wall with a gradient of light; `busy`, things that hide each other, more or less in focus.
        size: side in px.
        rng: the only source of chance.

    Raises:
        MGCError: if there is no such kind.

    Example:
        >>> wall = draw_background("plain", 64, np.random.default_rng(0))
        >>> things = draw_background("busy", 64, np.random.default_rng(0))
        >>> wall.shape, bool(things.std() > wall.std())
        ((64, 64, 3), True)
    """
    check_choice("kind", kind, Background)
    return _wall(size, rng) if kind == "plain" else _things(size, rng)


def _wall(size: int, rng: np.random.Generator) -> Float[NDArray, "H W 3"]:
    brightness = rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.45, 0.9)])
    color = np.clip(brightness * (1 + rng.normal(0, 0.08, 3)), 0.03, 0.97)
    axis = np.linspace(-0.5, 0.5, size)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.35)
    ramp = 1 + slope * (np.cos(angle) * axis + np.sin(angle) * axis[:, None])
    plaster = gaussian_filter(rng.normal(0, 1, (size, size)), 1.0) * rng.uniform(0, 0.02)
    return np.clip(color * (ramp + plaster)[..., None], 0, 1)


def _things(size: int, rng: np.random.Generator) -> Float[NDArray, "H W 3"]:
    axis = (np.arange(size) + 0.5) / size
    canvas = np.broadcast_to(_color(rng), (size, size, 3)).copy()
    scales = _sizes(rng)
    for half in scales:
        u, v = rng.uniform(-0.1, 1.1, 2)
        aspect, angle = np.exp(rng.normal(0, 0.5)), rng.choice([0.0, rng.normal(0, 0.1), rng.uniform(0, np.pi)])
        x = np.cos(angle) * (axis - u) + np.sin(angle) * (axis[:, None] - v)
        y = -np.sin(angle) * (axis - u) + np.cos(angle) * (axis[:, None] - v)
        a, b = half * aspect, half / aspect
        inside = np.maximum(abs(x) / a, abs(y) / b) < 1 if rng.random() < 0.65 else np.hypot(x / a, y / b) < 1
        shade = 1 + rng.uniform(-0.25, 0.25) * x / a + rng.uniform(-0.25, 0.25) * y / b
        if rng.random() < 0.3:
            shade = shade * (1 + 0.2 * np.sign(np.sin(2 * np.pi * x * rng.uniform(4, 40))))
        canvas[inside] = (_color(rng) * shade[inside, None]).clip(0, 1)
    grain = rng.normal(0, 1, (size // 4, size // 4))
    canvas = canvas * (1 + 0.06 * zoom(grain, size / (size // 4), order=1, grid_mode=True, mode="nearest"))[..., None]
    blur = np.exp(rng.uniform(np.log(0.8), np.log(0.02 * size)))
    return np.clip(gaussian_filter(canvas, (blur, blur, 0)), 0, 1)


def _sizes(rng: np.random.Generator) -> Float[NDArray, " L"]:
    """Draw half-sizes with density r^-3 between the smallest and the largest, in the order of painting."""
    share = rng.random(LEAVES)
    low, high = SMALLEST**-2, LARGEST**-2
    return (low + share * (high - low)) ** -0.5


def _color(rng: np.random.Generator) -> Float[NDArray, " 3"]:
    brightness = rng.beta(1.3, 1.6)
    return np.clip(brightness + rng.normal(0, 0.12) * np.array([1, 0, -1]) + rng.normal(0, 0.05, 3), 0.02, 0.98)
