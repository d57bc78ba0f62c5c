"""Things before the face: hands, glasses, bars, masks, hair, picture borders."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mgc_lightning.synthetic.palette import any_colour, hair_colour, skin_colour
from mgc_lightning.synthetic.shapes import EYES, FACE, IMAGE, LEFT_EYE, MOUTH, RIGHT_EYE, Shape, pack_shapes, turn

SHAPES = 8
"""Most shapes of an occluder."""
_GLASSES_LIMIT = 40.0


def draw_occluder(rng: np.random.Generator, yaw: float) -> np.ndarray:
    """Draw one occluder: (SHAPES, ROW).

    Args:
        rng: where the numbers come from.
        yaw: of the head in degrees; glasses are drawn on heads that face the camera.

    Example:
        >>> shapes = draw_occluder(np.random.default_rng(0), yaw=80.0)
        >>> len(shapes) == SHAPES, bool((shapes != 0).any())
        (True, True)
    """
    kinds: list[tuple[Callable[[np.random.Generator], list[Shape]], float]] = [
        (_blob, 0.15),
        (_bar, 0.15),
        (_hand, 0.25),
        (_fringe, 0.15),
        (_border, 0.08),
        (_mask if abs(yaw) < 50 else _blob, 0.07),
        (_glasses if abs(yaw) < _GLASSES_LIMIT else _bar, 0.15),
    ]
    weights = np.array([weight for _, weight in kinds])
    kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())][0]
    return pack_shapes(kind(rng), SHAPES)


def _blob(rng: np.random.Generator) -> list[Shape]:
    u, v = rng.uniform(0.1, 0.9, 2)
    a, b = rng.uniform(0.06, 0.2, 2)
    colour = any_colour(rng)
    shapes = [Shape(u, v, a, b, colour, angle=rng.uniform(0, math.pi), squareness=rng.uniform(0, 1), softness=0.01)]
    if rng.random() < 0.5:
        shapes.append(Shape(u + 0.3 * a, v - 0.3 * b, 0.5 * a, 0.5 * b, np.clip(colour + rng.normal(0, 0.15, 3), 0, 1),
                            softness=0.02))  # fmt: skip
    return shapes


def _bar(rng: np.random.Generator) -> list[Shape]:
    """A pole, a cable, an arm, a microphone."""
    angle = rng.uniform(0, math.pi)
    u, v = rng.uniform(0.2, 0.8, 2)
    colour = any_colour(rng) if rng.random() < 0.7 else skin_colour(rng)
    shapes = [Shape(u, v, 1.2, rng.uniform(0.015, 0.08), colour, angle=angle, squareness=0.95, softness=0.008)]
    if rng.random() < 0.3:
        radius = rng.uniform(0.05, 0.1)
        shapes[0].u, shapes[0].v = u + 1.2 * math.cos(angle), v + 1.2 * math.sin(angle)
        shapes.append(Shape(u, v, radius, radius * rng.uniform(1, 1.5), any_colour(rng), angle=angle, softness=0.01))
    return shapes


def _hand(rng: np.random.Generator) -> list[Shape]:
    """A palm, four fingers side by side and a thumb, coming from outside the face."""
    skin = skin_colour(rng) * rng.uniform(0.75, 1.1)
    side = rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(0.22, 0.42)
    palm = np.array([0.5, 0.55]) + reach * np.array([math.cos(side), math.sin(side)])
    # Fingers point toward the face, give or take.
    angle = side + math.pi + rng.normal(0, 0.5)
    width = rng.uniform(0.085, 0.125)
    spread = rng.uniform(0.0, 0.12)
    forearm = np.add(palm, turn(-3.2 * width, 0, angle))
    shapes = [
        Shape(
            forearm[0], forearm[1], 2.4 * width, 0.62 * width, skin * 0.95, angle=angle, squareness=0.8, softness=0.01
        ),
        Shape(palm[0], palm[1], 1.05 * width, width, skin, angle=angle, squareness=0.45, softness=0.012),
    ]
    for finger in range(4):
        across = (finger - 1.5) * 0.5 * width
        bend = angle + (finger - 1.5) * spread + rng.normal(0, 0.04)
        length = width * (0.85, 1.0, 0.95, 0.72)[finger] * rng.uniform(0.8, 1.1)
        base = np.add(palm, turn(0.75 * width, across, angle))
        tip = np.add(base, turn(0.6 * length, 0, bend))
        tone = skin * (1 + 0.06 * (-1) ** finger)
        shapes.append(Shape(tip[0], tip[1], length, 0.23 * width, tone, angle=bend, squareness=0.55, softness=0.008))
    thumb = angle - rng.choice([-1, 1]) * rng.uniform(0.7, 1.1)
    tip = np.add(palm, turn(1.0 * width, 0, thumb))
    shapes.append(
        Shape(tip[0], tip[1], 0.7 * width, 0.27 * width, skin * 1.04, angle=thumb, squareness=0.5, softness=0.008)
    )
    return shapes


def _glasses(rng: np.random.Generator) -> list[Shape]:
    frame, lens = any_colour(rng) * 0.6, any_colour(rng) * 0.4
    dark = rng.random() < 0.3
    a, b = rng.uniform(0.72, 0.92), rng.uniform(0.5, 0.8)
    squareness, ring = rng.uniform(0, 0.8), rng.uniform(0.004, 0.011)
    alpha = rng.uniform(0.75, 1.0) if dark else rng.uniform(0.0, 0.15)
    shapes = []
    for eye in (LEFT_EYE, RIGHT_EYE):
        shape = {"a": a, "b": b, "squareness": squareness, "softness": 0.006}
        shapes.append(Shape(0.0, 0.08, colour=lens, alpha=alpha, frame=eye, **shape))
        shapes.append(Shape(0.0, 0.08, colour=frame, ring=ring, frame=eye, **shape))
    shapes.append(Shape(0, 0.0, 0.17, 0.03, frame, squareness=0.9, softness=0.006, frame=EYES))
    return shapes


def _mask(rng: np.random.Generator) -> list[Shape]:
    """A mask over mouth and nose, its straps to the ears."""
    colour = any_colour(rng) * 0.4 + 0.55
    strap = Shape(0, -0.25, 2.2, 0.035, colour * 0.9, squareness=0.9, softness=0.008, frame=MOUTH)
    cloth = Shape(0, 0.05, 1.05, 0.85, colour, squareness=rng.uniform(0.2, 0.5), softness=0.012, frame=MOUTH)
    fold = Shape(0, rng.uniform(-0.1, 0.25), 0.95, 0.02, colour * 0.85, squareness=0.9, softness=0.02, frame=MOUTH)
    return [strap, cloth, fold]


def _fringe(rng: np.random.Generator) -> list[Shape]:
    """Hair over the forehead, in a few locks, or the brim of a hat."""
    colour = hair_colour(rng)
    shapes = [Shape(rng.normal(0, 0.08), -1.05, 0.62, rng.uniform(0.3, 0.5), colour, softness=0.02, frame=FACE)]
    side = rng.choice([-1, 1])
    for _ in range(rng.integers(0, 5)):
        lock = Shape(
            u=side * rng.uniform(-0.2, 0.6), v=rng.uniform(-0.75, -0.45), a=rng.uniform(0.25, 0.45),
            b=rng.uniform(0.04, 0.1), colour=np.clip(colour * rng.uniform(0.8, 1.25), 0, 1),
            angle=math.pi / 2 + rng.normal(0, 0.5), squareness=0.2, softness=0.015, frame=FACE,
        )  # fmt: skip
        shapes.append(lock)
    return shapes


def _border(rng: np.random.Generator) -> list[Shape]:
    """The edge of a picture, a door frame, somebody's shoulder."""
    side = rng.uniform(0, 2 * math.pi) if rng.random() < 0.5 else rng.integers(0, 4) * math.pi / 2
    distance = rng.uniform(0.3, 0.45) + 1.0
    u, v = 0.5 + distance * math.cos(side), 0.5 + distance * math.sin(side)
    return [Shape(u, v, 1.0, 2.0, any_colour(rng), angle=side, squareness=1.0, softness=0.006, frame=IMAGE)]
