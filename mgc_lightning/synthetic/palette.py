"""Colours of things around faces."""

from __future__ import annotations

import colorsys

import numpy as np


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw an RGB colour, mostly unsaturated, of any brightness."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.beta(1.2, 2.5), rng.beta(1.4, 1.4)))


def skin_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a display-space skin colour from dark to light.

    Example:
        >>> red, green, blue = skin_colour(np.random.default_rng(0))
        >>> bool(red > green > blue)
        True
    """
    light = rng.beta(1.2, 1.0)
    dark, bright = np.array([0.30, 0.19, 0.14]), np.array([0.90, 0.74, 0.66])
    return np.clip(dark + (bright - dark) * light + rng.normal(0, 0.02, 3), 0, 1)


def hair_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a hair colour: black, browns, blond, red, grey."""
    bases = np.array([[0.06, 0.05, 0.05], [0.22, 0.14, 0.09], [0.38, 0.25, 0.15], [0.72, 0.58, 0.38], [0.48, 0.22, 0.1],
                      [0.62, 0.61, 0.6]])  # fmt: skip
    base = bases[rng.choice(len(bases), p=[0.35, 0.25, 0.15, 0.1, 0.05, 0.1])]
    return np.clip(base * rng.uniform(0.7, 1.3) + rng.normal(0, 0.01, 3), 0, 1)
