"""Skin, hair and eyes of random people, per vertex: pigments, not a linear basis.

A linear colour basis sampled with Gaussians mixes pigments (grey, translucent scalps). Training images take their
albedo from here; the face model's basis is what a network predicts.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import betaincinv
from torch import Tensor, nn

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel

FIELDS = "skin.eigenfunctions"
MASKS = "skin.masks"
MASK_NAMES = "skin_masks"
"""Where a face model keeps its skin: two extra arrays, and the masks' names in its notes."""

BASE_COLOUR = (0.88, 0.80, 0.74)
MELANIN_ABSORPTION = (1.0, 1.28, 1.62)
HAEMOGLOBIN_ABSORPTION = (0.10, 1.0, 0.72)
FIELD_STRENGTH = (0.045, 0.050, 0.022)
"""Relative modulation of melanin, haemoglobin and luminance by the smooth fields."""

IRIS_COLOURS = (
    (0.045, 0.020, 0.010),
    (0.100, 0.045, 0.018),
    (0.150, 0.090, 0.030),
    (0.120, 0.150, 0.070),
    (0.110, 0.190, 0.290),
    (0.200, 0.240, 0.260),
)
HAIR_COLOURS = (
    (0.010, 0.008, 0.007),
    (0.030, 0.018, 0.011),
    (0.090, 0.046, 0.022),
    (0.340, 0.215, 0.100),
    (0.220, 0.068, 0.022),
    (0.330, 0.320, 0.310),
)
"""Linear RGB: black, dark brown, brown, blond, red, grey."""
SCLERA, TEETH, MOUTH, PUPIL = (0.62, 0.58, 0.55), (0.66, 0.61, 0.50), (0.20, 0.050, 0.045), (0.006, 0.005, 0.005)

SCALARS = (
    "melanin",
    "haemoglobin",
    "blush",
    "nose_red",
    "ear_red",
    "eye_shadow",
    "lip_red",
    "brow",
    "hair",
    "beard",
    "lash",
    "lipstick",
    "sclera_shade",
    "teeth_shade",
)
COLOURS = ("hair_colour", "iris_colour", "lipstick_colour")


def has_skin(face_model: FaceModel) -> bool:
    """Tell whether a face model carries the fields of a procedural skin.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> has_skin(load_face_model())
        True
    """
    return {FIELDS, MASKS} <= set(face_model.vertex_extras) and MASK_NAMES in face_model.notes


class SkinSampler(nn.Module):
    """Draw people's colours on the CPU, and paint them on any device.

    Linear skin is base * exp(-M a - H b) with melanin M and haemoglobin H (Beer-Lambert); smooth fields of the head's
    Laplacian eigenfunctions modulate both and the luminance; soft masks mix in brows, hair, beard, lashes, eyes,
    mouth and teeth; the sRGB transfer curve gives display-space colours.

    Args:
        face_model: one that carries skin fields (the embedded one does); its level is the vertices' level.

    Raises:
        MGCError: if the face model has no skin fields.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> sampler = SkinSampler(load_face_model("makehuman", level=0))
        >>> latents = sampler.sample_latents(torch.Generator().manual_seed(0), 2)
        >>> sampler.albedo(latents).shape
        torch.Size([2, 4032, 3])
    """

    fields: Float[Tensor, "F N"]
    masks: Float[Tensor, "M N"]

    def __init__(self, face_model: FaceModel) -> None:
        super().__init__()
        if not has_skin(face_model):
            raise MGCError(
                f"Face model `{face_model.name}` has no procedural skin (`{FIELDS}`, `{MASKS}`): "
                "use its linear albedo basis, or generate images with `makehuman`"
            )
        fields = face_model.vertex_extras[FIELDS].astype(np.float32)
        masks = face_model.vertex_extras[MASKS].astype(np.float32) / 255
        self.register_buffer("fields", torch.from_numpy(fields).contiguous(), persistent=False)
        self.register_buffer("masks", torch.from_numpy(masks).contiguous(), persistent=False)
        self.mask_names = list(face_model.notes[MASK_NAMES])
        sizes = {"fields": 3 * len(fields)} | dict.fromkeys(SCALARS, 1) | dict.fromkeys(COLOURS, 3)
        ends = np.cumsum(list(sizes.values())).tolist()
        self.slices = {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @property
    def num_latents(self) -> int:
        """Length of a latent vector."""
        return self.slices[COLOURS[-1]].stop

    def sample_latents(self, generator: torch.Generator, n: int) -> Float[Tensor, "n L"]:
        """Draw n people on the CPU; rows depend on the generator alone, not on the level or the device."""
        parts = _sample_people(generator, n)
        parts["fields"] = torch.randn(n, 3 * len(self.fields), generator=generator)
        return torch.cat([parts[name].reshape(n, -1) for name in self.slices], dim=1)

    def albedo(self, latents: Float[Tensor, "n L"]) -> Float[Tensor, "n N 3"]:
        """Paint people: display-space RGB in [0, 1] per vertex, on the device of this module.

        Raises:
            ValueError: if the latents have the wrong length.
        """
        if latents.shape[-1] != self.num_latents:
            raise ValueError(f"Expected {self.num_latents} skin latents, got {latents.shape[-1]}")
        latents = latents.to(self.fields)
        person = {name: latents[:, part] for name, part in self.slices.items()}
        linear = self._skin(person)
        for mask, colour in self._layers(person):
            linear = torch.lerp(linear, colour[:, None, :], mask[..., None])
        return linear_to_srgb(linear).clamp(0, 1)

    def _mask(self, name: str) -> Float[Tensor, " N"]:
        return self.masks[self.mask_names.index(name)]

    def _skin(self, person: dict[str, Tensor]) -> Float[Tensor, "n N 3"]:
        waves = person["fields"].unflatten(1, (3, -1)) @ self.fields / len(self.fields) ** 0.5
        strength = waves.new_tensor(FIELD_STRENGTH)[:, None]
        melanin_wave, blood_wave, light_wave = (1 + strength * waves).unbind(1)
        melanin = person["melanin"] * melanin_wave * (1 + person["eye_shadow"] * self._mask("undereye"))
        blood = person["haemoglobin"] * blood_wave
        spots = {"blush": "blush", "nose_red": "nosetip", "ear_red": "ears", "lip_red": "lips"}
        for amount, mask in spots.items():
            blood = blood + person[amount] * self._mask(mask)
        blood = blood + 0.5 * person["eye_shadow"] * self._mask("undereye")
        blood = blood + 0.35 * self._mask("lidinner")
        absorbed = melanin[..., None] * waves.new_tensor(MELANIN_ABSORPTION)
        absorbed = absorbed + blood[..., None] * waves.new_tensor(HAEMOGLOBIN_ABSORPTION)
        return waves.new_tensor(BASE_COLOUR) * (-absorbed).exp() * light_wave[..., None]

    def _layers(self, person: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Give (mask (n, N), colour (n, 3)) from the lowest layer to the highest."""
        hair, iris = person["hair_colour"], person["iris_colour"]
        one = torch.ones_like(person["hair"])

        def fixed(colour: tuple[float, float, float]) -> Tensor:
            return one * one.new_tensor(colour)

        layers = [
            ("lips", person["lipstick"], person["lipstick_colour"]),
            ("beard", person["beard"], hair),
            ("brows", person["brow"], hair * 0.8),
            ("hair", person["hair"], hair),
            ("lash", person["lash"], 0.5 * hair + 0.5 * fixed(PUPIL)),
            ("sclera", one, fixed(SCLERA) * person["sclera_shade"]),
            ("iris", one, iris),
            ("limbus", 0.6 * one, iris * 0.35),
            ("pupil", one, fixed(PUPIL)),
            ("mouth", 0.9 * one, fixed(MOUTH)),
            ("teeth", one, fixed(TEETH) * person["teeth_shade"]),
        ]
        return [(amount * self._mask(name), colour) for name, amount, colour in layers]


def linear_to_srgb(linear: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """Apply the sRGB transfer curve (IEC 61966-2-1) to linear light.

    Example:
        >>> linear_to_srgb(torch.tensor([0.0, 0.5])).mul(100).round().tolist()
        [0.0, 74.0]
    """
    linear = linear.clamp_min(0)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def _sample_people(generator: torch.Generator, n: int) -> dict[str, Tensor]:
    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    def normal(mean: float, std: float) -> Tensor:
        return mean + std * torch.randn(n, generator=generator)

    def chance(probability: float | Tensor) -> Tensor:
        return (torch.rand(n, generator=generator) < probability).float()

    tone = torch.from_numpy(betaincinv(0.9, 1.1, uniform().double().numpy())).float()
    man = chance(0.5)
    hair_colour = _hair_colour(generator, tone)
    lipstick = torch.stack([uniform(0.15, 0.45), uniform(0.01, 0.06), uniform(0.02, 0.09)], dim=1)
    shaved = chance(0.15)
    return {
        "melanin": 0.08 + 1.75 * tone**1.35,
        "haemoglobin": normal(0.30, 0.09).clamp(0.08, 0.6),
        "blush": normal(0.13, 0.08).clamp(0, 0.4),
        "nose_red": normal(0.10, 0.06).clamp(0, 0.3),
        "ear_red": normal(0.14, 0.07).clamp(0, 0.35),
        "eye_shadow": normal(0.12, 0.08).clamp(0, 0.35),
        "lip_red": uniform(0.35, 0.75),
        "brow": uniform(0.45, 0.9),
        "hair": torch.where(shaved > 0, uniform(0.15, 0.5), uniform(0.92, 0.99)),
        "beard": man * chance(0.5) * uniform(0.05, 0.75),
        "lash": uniform(0.35, 0.8),
        "lipstick": (1 - man) * chance(0.14) * uniform(0.4, 0.85),
        "sclera_shade": normal(1.0, 0.06).clamp(0.8, 1.15),
        "teeth_shade": normal(1.0, 0.10).clamp(0.7, 1.2),
        "hair_colour": hair_colour,
        "iris_colour": _iris_colour(generator, tone),
        "lipstick_colour": lipstick,
    }


def _choose(generator: torch.Generator, weights: Tensor, palette: tuple[tuple[float, ...], ...]) -> Tensor:
    """Pick a colour a person by weights (n, K), and vary its brightness by about a fifth."""
    picked = torch.multinomial(weights, 1, generator=generator)[:, 0]
    brightness = (0.2 * torch.randn(len(weights), 1, generator=generator)).exp()
    return torch.tensor(palette)[picked] * brightness


def _hair_colour(generator: torch.Generator, tone: Tensor) -> Tensor:
    """Fair and red hair go with fair skin; a tenth is grey."""
    fair = (1 - tone / 0.45).clamp(0, 1)
    one = torch.ones_like(tone)
    weights = torch.stack([0.35 + 0.6 * (1 - fair), 0.35 * one, 0.3 * fair, 0.3 * fair, 0.06 * fair, 0.1 * one], dim=1)
    return _choose(generator, weights, HAIR_COLOURS)


def _iris_colour(generator: torch.Generator, tone: Tensor) -> Tensor:
    """Light eyes go with fair skin."""
    fair = (1 - tone / 0.45).clamp(0, 1)
    one = torch.ones_like(tone)
    weights = torch.stack([0.2 + 0.8 * (1 - fair), 0.4 * one, 0.15 * fair, 0.12 * fair, 0.3 * fair, 0.12 * fair], 1)
    return _choose(generator, weights, IRIS_COLOURS)
