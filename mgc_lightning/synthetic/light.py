"""Plausible light: ambient plus a few directional lights, as second-order harmonics of the head frame."""

from __future__ import annotations

import math

import numpy as np

# Constants of the harmonics' order and signs in `rendering.lighting.sh_basis`.
_CONSTANT = math.sqrt(math.pi) / 2
_LINEAR = math.sqrt(math.pi)
_QUADRATIC = math.sqrt(15 * math.pi / 8)
_EXPOSURE = math.log(0.55), math.log(0.95)


def ambient_harmonics() -> np.ndarray:
    """Give the nine coefficients whose shade is 1 everywhere.

    Example:
        >>> normals = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        >>> (harmonics(normals) @ ambient_harmonics()).round(6).tolist()
        [1.0, 1.0]
    """
    return np.array([1 / _CONSTANT, 0, 0, 0, 0, 0, 0, 0, 0])


def directional_harmonics(direction: np.ndarray) -> np.ndarray:
    """Expand the clamped cosine max(0, n.d) of a distant light to second order.

    max(0, c) ~ 1/4 + c/2 + 15/32 (c^2 - 1/3) with c = n.d (Ramamoorthi & Hanrahan 2001).

    Args:
        direction: (3,) unit vector from the face to the light, head frame.

    Returns:
        (9,) in the order of `sh_basis`.

    Example:
        >>> from_the_front = directional_harmonics(np.array([0.0, 0.0, 1.0]))
        >>> lit, dark = np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, -1.0]])
        >>> [(harmonics(normal) @ from_the_front).round(2).item() for normal in (lit, dark)]  # nearly 1 and 0
        [1.06, 0.06]
    """
    x, y, z = direction
    quadratic = 15 / 32 / _QUADRATIC
    return np.array(
        [
            0.25 / _CONSTANT,
            -0.5 * y / _LINEAR,
            0.5 * z / _LINEAR,
            -0.5 * x / _LINEAR,
            2 * quadratic * x * y,
            -2 * quadratic * y * z,
            quadratic * (3 * z * z - 1) / math.sqrt(3),
            -2 * quadratic * x * z,
            quadratic * (x * x - y * y),
        ]
    )


def harmonics(normals: np.ndarray) -> np.ndarray:
    """Evaluate the nine harmonics at unit normals (N, 3): (N, 9). The numpy twin of `rendering.lighting.sh_basis`.

    Example:
        >>> ahead = harmonics(np.array([[0.0, 0.0, 1.0]]))
        >>> light = draw_light(np.random.default_rng(0)).reshape(3, 9)
        >>> ahead.shape, bool((light @ ahead[0] > 0).all())  # the light that the face's front gets
        ((1, 9), True)
    """
    x, y, z = normals.T
    return np.stack(
        [
            np.full_like(x, _CONSTANT),
            -_LINEAR * y,
            _LINEAR * z,
            -_LINEAR * x,
            _QUADRATIC * x * y,
            -_QUADRATIC * y * z,
            _QUADRATIC * (3 * z * z - 1) / (2 * math.sqrt(3)),
            -_QUADRATIC * x * z,
            _QUADRATIC * (x * x - y * y) / 2,
        ],
        axis=-1,
    )


def _face_normals() -> np.ndarray:
    """Give normals of the front of a face."""
    normals = np.array([(x, y, 1.0) for x in (-1.6, -0.8, 0.0, 0.8, 1.6) for y in (-0.9, -0.3, 0.3, 0.9)])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


_FACE_BASIS = harmonics(_face_normals())
_AMBIENT = ambient_harmonics()


def draw_light(rng: np.random.Generator) -> np.ndarray:
    """Draw (27,) coefficients: ambient, a key light and a weaker one, mildly coloured, exposed for skin.

    The mean shade over the front of a face lies between .55 and .95, and no normal of it is darker than .08.
    """
    warmth = rng.normal(0, 0.06, 3)
    tints = 1 + warmth[:, None] * np.array([1.0, 0.1, -1.0]) + rng.normal(0, 0.015, (3, 3))
    key = _direction(rng, spread=75.0)
    fill = _direction(rng, spread=110.0)
    contrast = rng.beta(1.6, 1.6)
    light = (
        np.outer(tints[0], _AMBIENT) * (1 - 0.85 * contrast)
        + np.outer(tints[1], directional_harmonics(key)) * 1.5 * contrast
        + np.outer(tints[2], directional_harmonics(fill)) * rng.uniform(0, 0.7) * contrast
    )
    exposure = np.exp(rng.uniform(*_EXPOSURE))
    light = light * (exposure / (_FACE_BASIS @ light.T).mean())
    darkest = (_FACE_BASIS @ light.T).min()
    if darkest < 0.08:
        # Mixing ambient in at constant exposure lifts the darkest normal to the floor.
        share = (0.08 - darkest) / (exposure - darkest)
        light = (1 - share) * light + share * exposure * _AMBIENT
    return light.ravel()


def _direction(rng: np.random.Generator, spread: float) -> np.ndarray:
    """Draw a direction before the face: azimuth up to `spread` degrees, rather from above."""
    azimuth = math.radians(rng.uniform(-spread, spread))
    elevation = math.radians(np.clip(rng.normal(20, 25), -35, 75))
    return np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )


def draw_lamp(rng: np.random.Generator, light: np.ndarray, shadows: float) -> tuple[np.ndarray, np.ndarray]:
    """Take a part of the light into one lamp that casts a shadow and makes highlights.

    Args:
        rng: where the numbers come from.
        light: (27,) harmonics of `draw_light`.
        shadows: share of lamps that are hard; the others are weak and cast none.

    Returns:
        what is left of the harmonics (27,), and direction (3,), colour (3,), hardness () of the lamp: (7,).

    Example:
        >>> light = draw_light(np.random.default_rng(0))
        >>> rest, lamp = draw_lamp(np.random.default_rng(0), light, shadows=1.0)
        >>> bool((np.abs(rest) <= np.abs(light)).all()), lamp.shape, round(float(np.linalg.norm(lamp[:3])), 3)
        (True, (7,), 1.0)
    """
    direction = _direction(rng, spread=80.0)
    hard = rng.random() < shadows
    share = rng.uniform(0.3, 0.85) if hard else rng.uniform(0.05, 0.25)
    exposure = (_FACE_BASIS @ light.reshape(3, 9).T).mean(0)
    # A face that looks at the lamp is as bright as before; one that looks away keeps the rest.
    facing = np.clip(_face_normals() @ direction, 0, None).mean()
    colour = share * exposure / max(facing, 0.25) * (1 + rng.normal(0, 0.04, 3))
    hardness = rng.uniform(0.4, 1.0) if hard else 0.0
    return light * (1 - share), np.array([*direction, *colour, hardness])
