"""What a pixel of a head looks like: skin detail, strands of hair, wet eyes, highlights, shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.rendering.barycentric import CoveredPixels
from mgc_lightning.synthetic.settings import SyntheticSettings

_SIDE = 32
"""Side of the noise volume, which repeats."""
SKIN = {"mottle": 1, "red": 1, "freckles": 1, "bump": 1, "gloss": 1, "sharpness": 1, "place": 3}
SKIN_NUMBERS = sum(SKIN.values())
KEY = {"direction": 3, "colour": 3, "hardness": 1}
KEY_NUMBERS = sum(KEY.values())


def draw_skin(rng: np.random.Generator, settings: SyntheticSettings) -> np.ndarray:
    """Draw one person's skin: (SKIN_NUMBERS,): mottling, redness, freckles, bumps, gloss, sharpness of highlights.

    Example:
        >>> plain = draw_skin(np.random.default_rng(0), SyntheticSettings(skin_detail=0.0, gloss=0.0))
        >>> plain[:5].tolist()  # mottling, redness, freckles, bumps, gloss
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    detail, gloss = settings.skin_detail, settings.gloss
    freckles = rng.uniform(0.1, 0.45) if rng.random() < 0.15 else 0.0
    values = [rng.gamma(2.0, 0.008) * detail, rng.gamma(2.0, 0.01) * detail, freckles * detail,
              rng.gamma(2.0, 0.03) * detail, rng.gamma(1.5, 0.12) * gloss, np.exp(rng.uniform(1.8, 4.0)),
              *rng.uniform(0, _SIDE, 3)]  # fmt: skip
    return np.array(values, dtype=np.float32)


@dataclass
class Surface:
    """Hold what the covered pixels of n views show, component first.

    Attributes:
        pixels: which they are.
        rest: (3, P) place on the undeformed head, mm: noise sticks to it.
        normal: (3, P) model frame, not normalised.
        albedo: (3, P) display space.
        cover: (3, P) colour of the hair or cloth that may lie over it.
        level: (P,) mm inside the hairline.
        cloth: (P,) 1 cloth, 0 hair.
        gloss: (P,) how much stronger than skin it shines.
        open: (P,) share of the sky that it sees.
        plain: (P,) 1 where there is neither skin detail nor hair: glasses.
        sky: (3, P) light from everywhere but the lamp.
    """

    pixels: CoveredPixels
    rest: Float[Tensor, "3 P"]
    normal: Float[Tensor, "3 P"]
    albedo: Float[Tensor, "3 P"]
    cover: Float[Tensor, "3 P"]
    level: Float[Tensor, " P"]
    cloth: Float[Tensor, " P"]
    gloss: Float[Tensor, " P"]
    open: Float[Tensor, " P"]
    plain: Float[Tensor, " P"]
    sky: Float[Tensor, "3 P"]


class SurfaceShader(nn.Module):
    """Shade pixels: the sky's light, a lamp with a shadow and a highlight, noise that sticks to the head."""

    volume: Float[Tensor, "4 V"]

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1717)
        coarse = F.pad(torch.randn(1, 4, _SIDE, _SIDE, _SIDE, generator=generator), (0, 1) * 3, mode="circular")
        # Smooth noise of unit cells, kept twice as fine, so that the nearest value is smooth enough.
        fine = F.interpolate(coarse, size=[2 * _SIDE + 1] * 3, mode="trilinear", align_corners=True)
        self.register_buffer("volume", fine[0, :, :-1, :-1, :-1].flatten(1).contiguous(), persistent=False)

    def forward(
        self,
        surface: Surface,
        skin: Float[Tensor, "n S"],
        key: Float[Tensor, "n K"],
        lit: Float[Tensor, " P"],
        to_camera: Float[Tensor, "n 3"],
        hair_place: Float[Tensor, "n 3"],
        streaks: Float[Tensor, " n"],
    ) -> tuple[Float[Tensor, "3 P"], Float[Tensor, " P"]]:
        """Give display-space colours, and how much hair or cloth covers each pixel.

        Args:
            surface: what there is.
            skin: rows of `draw_skin`.
            key: rows direction, colour, hardness of the lamp; colour 0 for none.
            lit: share of the lamp that reaches each pixel.
            to_camera: unit vectors, model frame.
            hair_place: offset of the strands' noise.
            streaks: strength of the strands.
        """
        # One gather for all that belongs to a view.
        of_view = torch.cat(
            [skin, F.normalize(key[:, :3], dim=-1), key[:, 3:6], to_camera, hair_place, streaks[:, None]], 1
        )
        table = of_view.T.contiguous().index_select(1, surface.pixels.view)
        sizes = [1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 1]
        mottle, red, freckles, bump, shine, sharpness, place, direction, colour, seen, strand_place, streak = (
            table.split(sizes)
        )
        fine = self.noise(surface.rest / 2.2 + place)
        coarse = self.noise(surface.rest / 8.0 + place + 7.3)
        covered, strand = self._cover(surface, strand_place, streak[0])
        hair = covered * (1 - surface.cloth)
        bare = (1 - covered) * (1 - surface.plain)
        normal = _unit(_unit(surface.normal) + (bump[0] * bare + 0.4 * hair) * (fine[1:] + 0.7 * coarse[1:]))
        # Sheets of hair and frames have no inside: they are lit from where they are seen.
        facing = (normal * seen).sum(0)
        normal = normal - 2 * facing.clamp(max=0) * seen
        spots = (fine[0] - 1.1).clamp(0, 0.5) * 2 * freckles
        pigment = mottle * (fine[0] + coarse[0]) * bare
        blood = red * coarse[0] * bare
        albedo = surface.albedo * (
            1 + pigment - blood * _column(0.25, 1.0, 0.9, table) - bare * spots * _column(0.5, 0.8, 1.0, table)
        )
        over = surface.cover * (1 + 0.45 * streak * strand * (1 - surface.cloth) + 0.05 * coarse[0])
        albedo = torch.lerp(albedo, over, covered).clamp(0, 1)
        open_ = 0.25 + 0.75 * surface.open
        lamp = colour * lit
        diffuse = surface.sky * open_ + lamp * (normal * direction).sum(0).clamp(min=0)
        return albedo * diffuse.clamp(min=0) + self._highlights(
            surface, normal, seen, direction, lamp, shine[0], sharpness[0], covered
        ), covered

    def noise(self, places: Float[Tensor, "3 P"]) -> Float[Tensor, "4 P"]:
        """Read smooth noise of unit cells at places (x, y, z), repeating every 32 cells."""
        x, y, z = (places * 2).long().remainder_(2 * _SIDE).unbind(0)
        return self.volume.index_select(1, (z * (2 * _SIDE) + y) * (2 * _SIDE) + x)

    def _cover(self, surface: Surface, place: Tensor, streaks: Tensor) -> tuple[Tensor, Tensor]:
        stretch = surface.rest.new_tensor([[1 / 1.3], [1 / 14.0], [1 / 1.3]])
        x, y, z = ((surface.rest * stretch + place) * 2).long().remainder_(2 * _SIDE).unbind(0)
        strand = self.volume[0].index_select(0, (z * (2 * _SIDE) + y) * (2 * _SIDE) + x)
        # Strands run out over the hairline; cloth ends in a line.
        edge = surface.level + 5 * strand * streaks * (1 - surface.cloth)
        return (edge / 4 + 0.5).clamp(0, 1) * (1 - surface.plain), strand

    def _highlights(
        self,
        surface: Surface,
        normal: Tensor,
        seen: Tensor,
        direction: Tensor,
        lamp: Tensor,
        shine: Tensor,
        sharpness: Tensor,
        covered: Tensor,
    ) -> Float[Tensor, "3 P"]:
        """Add Blinn's highlight of the lamp and the sheen of the sky at grazing angles."""
        wet = surface.gloss > 3
        sharp = torch.where(wet, 260.0, sharpness)
        strength = torch.where(wet, 1.0, shine * surface.gloss * (1 - 0.7 * covered))
        spot = strength * (normal * _unit(direction + seen)).sum(0).clamp(min=1e-4).pow(sharp)
        grazing = (1 - (normal * seen).sum(0).clamp(0, 1)).square().square()
        return lamp * spot + surface.sky.clamp(min=0) * (0.25 * strength * grazing * surface.open)


def _column(r: float, g: float, b: float, like: Tensor) -> Float[Tensor, "3 1"]:
    return like.new_tensor([[r], [g], [b]])


def _unit(vectors: Float[Tensor, "3 P"]) -> Float[Tensor, "3 P"]:
    return vectors * vectors.square().sum(0).clamp(min=1e-12).rsqrt()
