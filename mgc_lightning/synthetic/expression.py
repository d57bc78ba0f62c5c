"""Random expressions for any face model: face units by what faces do, other bases by their standard deviations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

BLINK_LIMIT = 0.85
"""Full blinks of the face units push the lids through each other."""

# unit (without side): probability that it takes part, largest activation
UNITS = {
    "browDown": (0.20, 0.9),
    "browInnerUp": (0.22, 0.9),
    "browOuterUp": (0.20, 0.9),
    "cheekPuff": (0.06, 0.8),
    "cheekSquint": (0.20, 0.8),
    "eyeBlink": (0.22, BLINK_LIMIT),
    "eyeSquint": (0.20, 0.8),
    "eyeWide": (0.12, 0.8),
    "jawForward": (0.06, 0.6),
    "jawOpen": (0.35, 0.7),
    "mouthDimple": (0.12, 0.7),
    "mouthFrown": (0.15, 0.8),
    "mouthFunnel": (0.10, 0.7),
    "mouthLowerDown": (0.14, 0.7),
    "mouthPress": (0.12, 0.7),
    "mouthPucker": (0.12, 0.8),
    "mouthRollLower": (0.08, 0.6),
    "mouthRollUpper": (0.08, 0.6),
    "mouthShrugLower": (0.10, 0.6),
    "mouthShrugUpper": (0.10, 0.6),
    "mouthSmile": (0.35, 0.95),
    "mouthStretch": (0.12, 0.7),
    "mouthUpperUp": (0.14, 0.7),
    "noseSneer": (0.12, 0.8),
}
OPPOSITES = (
    ("mouthSmile", "mouthFrown"),
    ("mouthSmile", "mouthPucker"),
    ("mouthSmile", "mouthFunnel"),
    ("browDown", "browInnerUp"),
    ("browDown", "browOuterUp"),
    ("eyeBlink", "eyeWide"),
    ("eyeSquint", "eyeWide"),
    ("jawOpen", "mouthPress"),
)
"""Pairs whose muscles pull against each other: the second is damped by the first."""

_ARKIT_MARKS = {"jawOpen", "eyeBlinkLeft", "mouthSmileLeft"}
_LIMIT = 3.0


class ExpressionSampler:
    """Draw expression coefficients: activations of ARKit's face units, or normal ones of any other basis.

    Args:
        names: the basis' names.
        sigma: (E,) standard deviations of the basis, for those that are not face units.
        strength: 0 neutral faces, 1 the full range.
        neutral: share of faces that show next to nothing; of face units only.

    Example:
        >>> names = ["jawOpen", "eyeBlinkLeft", "mouthSmileLeft"]
        >>> sampler = ExpressionSampler(names, torch.ones(3), strength=0.0)
        >>> sampler.draw(torch.Generator().manual_seed(0), 2).abs().max()  # neutral faces
        tensor(0.)
    """

    def __init__(
        self, names: Sequence[str], sigma: Float[Tensor, " E"], strength: float = 1.0, neutral: float = 0.15
    ) -> None:
        self.names = list(names)
        self.sigma = sigma.detach().cpu()
        self.strength = strength
        self.neutral = neutral
        self.has_face_units = set(self.names) >= _ARKIT_MARKS

    def draw(self, generator: torch.Generator, n: int) -> Float[Tensor, "n E"]:
        """Draw n expressions on the CPU."""
        if self.has_face_units:
            return sample_face_units(generator, n, self.names, self.neutral) * self.strength
        drawn = torch.randn(n, len(self.sigma), generator=generator).clamp(-_LIMIT, _LIMIT)
        return drawn * self.sigma * self.strength


def sample_face_units(
    generator: torch.Generator, n: int, names: Sequence[str], neutral: float = 0.15
) -> Float[Tensor, "n E"]:
    """Draw plausible activations of ARKit face units in [0, 1]; on the CPU.

    A face unit takes part with its own probability; both sides move alike but for a tenth, and sometimes one side
    alone. Antagonists damp each other, both eyes look the same way, the lips close no further than the jaw is open,
    and a blink stops at .85. Names that are not face units stay 0.

    Args:
        generator: CPU random state.
        n: number of faces.
        names: the face model's expression names, ARKit's (`jawOpen`, `eyeBlinkLeft`, ...).
        neutral: share of faces that show next to nothing.

    Example:
        >>> names = ["jawOpen", "mouthSmileLeft", "mouthSmileRight"]
        >>> sample_face_units(torch.Generator().manual_seed(0), 4, names).shape
        torch.Size([4, 3])
    """

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    values = _paired_units(generator, n)
    values["mouthClose"] = values["jawOpen"] * (uniform() < 0.15) * uniform(0.2, 0.8)
    values |= _gaze(uniform)
    values |= _sideways(uniform)
    nothing = torch.zeros(n)
    expression = torch.stack([values.get(name, nothing) for name in names], dim=1)
    still = torch.where(uniform() < neutral, 0.1, 1.0)
    return (expression * still[:, None]).clamp(0, 1)


def _paired_units(generator: torch.Generator, n: int) -> dict[str, Tensor]:
    """Draw the units that have two sides, and their middle, all at once."""

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(len(UNITS), n, generator=generator)

    probability, largest = torch.tensor(list(UNITS.values())).T[..., None]
    strength = (uniform() < probability) * largest * uniform() ** 1.3 + 0.04 * uniform()
    rows = dict(zip(UNITS, strength.unbind(), strict=True))
    for first, second in OPPOSITES:
        rows[second] *= (1 - rows[first]).clamp(0, 1) ** 2
    lopsided = torch.where(uniform() < 0.12, uniform(0.2, 1.0), uniform(0.9, 1.0))
    left_stronger = uniform() < 0.5
    left = (strength * torch.where(left_stronger, 1.0, lopsided)).unbind()
    right = (strength * torch.where(left_stronger, lopsided, 1.0)).unbind()
    sides = {f"{unit}Left": row for unit, row in zip(UNITS, left, strict=True)}
    sides |= {f"{unit}Right": row for unit, row in zip(UNITS, right, strict=True)}
    return rows | sides


def _gaze(uniform: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Turn both eyes alike: `In` of one with `Out` of the other."""
    across, up = uniform(-0.6, 0.6) * uniform(), uniform(-0.6, 0.4) * uniform()
    right, left = across.clamp_min(0), (-across).clamp_min(0)
    gaze = {"eyeLookOutRight": right, "eyeLookInLeft": right, "eyeLookInRight": left, "eyeLookOutLeft": left}
    for side in ("Left", "Right"):
        gaze[f"eyeLookUp{side}"] = up.clamp_min(0)
        gaze[f"eyeLookDown{side}"] = (-up).clamp_min(0)
    return gaze


def _sideways(uniform: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Move jaw and mouth to one side, seldom."""
    values = {}
    for part in ("jaw", "mouth"):
        shift = (uniform() < 0.12) * uniform(-0.6, 0.6)
        values[f"{part}Left"], values[f"{part}Right"] = shift.clamp_min(0), (-shift).clamp_min(0)
    return values
