"""Hair with a volume, fringes, long hair, beards, caps and scarves: part of the head's surface, so that views agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor, nn

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.synthetic.palette import any_colour
from mgc_lightning.synthetic.settings import SyntheticSettings

NEEDED_REGIONS = ("scalp", "ear_r", "ear_l", "neck")
_LUMPS = 6
_AROUND, _DOWN = 25, 9
"""Vertices of the sheet of long hair: around the head, and from the crown down."""
_HIDDEN = (0.0, 0.0, -40.0)
"""Where parts that are not worn lie: all their vertices in one point, so that no pixel shows them."""
SHEET_LEVEL = 1000.0

FIELDS = {
    "level": 1, "fringe": 1, "parting": 1, "sides": 1, "top": 1, "flank": 1, "lumps": _LUMPS, "streaks": 1,
    "cap": 1, "cap_colour": 3, "sheet": 1, "opening": 1, "length": 1, "radius": 1, "sheet_colour": 3, "beard": 1,
    "wave": 2, "place": 3,
}  # fmt: skip
NUMBERS = sum(FIELDS.values())


def draw_hair(rng: np.random.Generator, settings: SyntheticSettings) -> np.ndarray:
    """Draw what is worn on one head: (NUMBERS,) in the order of `FIELDS`.

    `level` shifts the hairline in mm (bald heads have it far back), `fringe` lowers it over the forehead, more at
    one side by `parting`; `top` and `flank` are the volume in mm; `sheet` is 1 for long hair, 2 for a scarf.
    """
    worn = rng.random() < settings.hair
    values: dict[str, float | np.ndarray] = {name: np.zeros(size) for name, size in FIELDS.items()}
    values["place"] = rng.uniform(0, 32, 3)
    values["streaks"] = rng.uniform(0.3, 1.0)
    if not worn:
        return _pack(values)
    volume = rng.choice([0.25, 1.0, 2.2], p=[0.3, 0.45, 0.25])
    values |= {
        "level": rng.normal(0, 4) - (rng.uniform(5, 40) if rng.random() < 0.15 else 0),
        "fringe": rng.uniform(8, 55) if rng.random() < 0.4 else rng.uniform(0, 6),
        "parting": rng.uniform(-1, 1),
        "sides": rng.uniform(-5, 25) if rng.random() < 0.5 else rng.uniform(-8, 4),
        "top": volume * rng.uniform(5, 20),
        "flank": volume * rng.uniform(1, 12),
        "lumps": rng.normal(0, 1, _LUMPS),
        "beard": rng.uniform(1, 14) if rng.random() < 0.15 else 0.0,
        "wave": rng.uniform(0, 2 * math.pi, 2),
    }
    if rng.random() < 0.35:
        values |= {
            "sheet": 1.0,
            "opening": rng.uniform(48, 105),
            "length": rng.uniform(20, 230),
            "radius": rng.uniform(0, 26),
        }
    if rng.random() < settings.hats:
        values |= {"cap": 1.0, "cap_colour": any_colour(rng), "level": rng.uniform(0, 28), "fringe": rng.uniform(0, 12)}
        values |= {"top": rng.uniform(4, 25), "flank": rng.uniform(3, 10)}
        if rng.random() < 0.35:
            values |= {
                "sheet": 2.0,
                "opening": rng.uniform(40, 65),
                "length": rng.uniform(150, 240),
                "radius": rng.uniform(2, 14),
                "sheet_colour": values["cap_colour"],
            }
    return _pack(values)


def _pack(values: dict[str, float | np.ndarray]) -> np.ndarray:
    return np.concatenate([np.atleast_1d(values[name]) for name in FIELDS]).astype(np.float32)


def unpack(numbers: Float[Tensor, "n W"], fields: dict[str, int]) -> dict[str, Tensor]:
    """Split rows of numbers by a table of names and sizes; single numbers lose their axis.

    Example:
        >>> parts = unpack(torch.arange(8.0).view(2, 4), {"top": 1, "colour": 3})
        >>> parts["top"], parts["colour"].shape
        (tensor([0., 4.]), torch.Size([2, 3]))
    """
    parts = numbers.split(list(fields.values()), dim=-1)
    return {name: part if size > 1 else part[:, 0] for (name, size), part in zip(fields.items(), parts, strict=True)}


@dataclass
class Dressed:
    """Hold heads with what they wear.

    Attributes:
        verts: (n, M, 3) mm, model frame: the head's own vertices first.
        level: (n, M) mm inside the hairline; negative where the skin shows.
        colour: (n, M, 3) display-space colour of hair or cloth.
        cloth: (n, M) 1 where cloth lies over the head, 0 for hair.
    """

    verts: Float[Tensor, "n M 3"]
    level: Float[Tensor, "n M"]
    colour: Float[Tensor, "n M 3"]
    cloth: Float[Tensor, "n M"]


class Hair(nn.Module):
    """Dress heads of a face model that has a scalp.

    Args:
        face_model: with the regions of `NEEDED_REGIONS`, and skin masks `hair` and `beard`.
        beard: (N,) where beards grow, in [0, 1].
        waves: (F, N) smooth fields over the head, for lumps.
    """

    hairline: Float[Tensor, " N"]
    front: Float[Tensor, " N"]
    side: Float[Tensor, " N"]
    top: Float[Tensor, " N"]
    beard: Float[Tensor, " N"]
    waves: Float[Tensor, "F N"]
    wide: Tensor
    rest: Float[Tensor, "M 3"]
    faces: Int[Tensor, "F 3"]

    def __init__(self, face_model: FaceModel, beard: Float[Tensor, " N"], waves: Float[Tensor, "F N"]) -> None:
        super().__init__()
        mean = face_model.mean
        scalp, ears = face_model.region("scalp"), face_model.region("ear_r") | face_model.region("ear_l")
        hairline = _signed_distance(mean.numpy(), scalp.numpy())
        x, y, z = mean.unbind(-1)
        smooth = nn.functional.hardsigmoid
        buffers = {
            "hairline": torch.from_numpy(hairline),
            "front": smooth((z - 30) / 6) * smooth((y - 45) / 3),
            "side": smooth((x.abs() - 52) / 4) * smooth((y + 30) / 8) * smooth((45 - z) / 6) * (~ears),
            "top": smooth((y - 70) / 12),
            "beard": beard,
            "waves": waves[:_LUMPS],
            "wide": (scalp | ears).nonzero().squeeze(1),
            "faces": _sheet_faces(len(mean)),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)
        around = torch.linspace(-1, 1, _AROUND)[:, None].expand(-1, _DOWN)
        down = torch.linspace(0, 1, _DOWN)[None].expand(_AROUND, -1)
        self.register_buffer("around", around.flatten(), persistent=False)
        self.register_buffer("down", down.flatten(), persistent=False)
        # Hair falls: places of the sheet are far apart along it, for streaks that follow it.
        sheet = torch.stack(
            [around.flatten() * 250, -down.flatten() * 200, torch.full_like(self.get_buffer("down"), 300)], 1
        )
        self.register_buffer("rest", torch.cat([mean, sheet]), persistent=False)

    def forward(
        self,
        verts: Float[Tensor, "n N 3"],
        normals: Float[Tensor, "n N 3"],
        numbers: Float[Tensor, "n W"],
        hair_colour: Float[Tensor, "n 3"],
    ) -> Dressed:
        """Dress heads.

        Args:
            verts: mm, model frame, with expression.
            normals: of `verts`.
            numbers: rows of `draw_hair`.
            hair_colour: display space.
        """
        worn = unpack(numbers, FIELDS)
        x = verts[..., 0]
        lowered = worn["fringe"][:, None] * self.front * (1 + 0.7 * worn["parting"][:, None] * (x / 60).clamp(-1, 1))
        level = self.hairline + worn["level"][:, None] + lowered + worn["sides"][:, None] * self.side
        lumps = 1 + 0.18 * (worn["lumps"] @ self.waves).clamp(-3, 3)
        volume = torch.lerp(worn["flank"][:, None], worn["top"][:, None], self.top) * lumps.clamp(min=0.3)
        thickness = volume * ((level + 2) / 14).clamp(0, 1) + worn["beard"][:, None] * self.beard.square()
        up = normals.new_tensor([0.0, 0.25, 0.0])
        moved = verts + thickness[..., None] * (normals + up)
        sheet = self._sheet(verts, worn)
        count, extra = len(verts), sheet.shape[1]
        cap = worn["cap"][:, None].expand(-1, level.shape[1])
        colour = torch.lerp(hair_colour, worn["cap_colour"], worn["cap"][:, None])[:, None].expand(
            -1, level.shape[1], -1
        )
        scarf = (worn["sheet"] > 1.5).float()
        of_sheet = torch.lerp(hair_colour, worn["sheet_colour"], scarf[:, None])[:, None].expand(-1, extra, -1)
        return Dressed(
            verts=torch.cat([moved, sheet], 1),
            level=torch.cat([level, level.new_full((count, extra), SHEET_LEVEL)], 1),
            colour=torch.cat([colour, of_sheet], 1),
            cloth=torch.cat([cap, scarf[:, None].expand(-1, extra)], 1),
        )

    def _sheet(self, verts: Tensor, worn: dict[str, Tensor]) -> Float[Tensor, "n S 3"]:
        """Hang a sheet around the back and the sides of the head, open to the front by `opening` degrees a side."""
        wide = verts[:, self.wide]
        half_width = wide[..., 0].abs().amax(1)
        back, crown = wide[..., 2].amin(1), wide[..., 1].amax(1)
        middle = back.new_full(back.shape, -30.0)
        angle = torch.deg2rad(180 - worn["opening"])[:, None] * self.get_buffer("around")
        down = self.get_buffer("down")
        y = torch.lerp((crown - 25)[:, None], -worn["length"][:, None], down)
        waves = torch.sin(3 * angle + worn["wave"][:, :1]) + torch.sin(8 * down + worn["wave"][:, 1:])
        # Above the ears the sheet tucks under the hair of the crown.
        tucked = 0.55 + 0.45 * (down * 4).clamp(0, 1).sqrt()
        grow = worn["radius"][:, None] * (0.3 + 0.7 * down) + 3 * waves
        x = (half_width[:, None] + 2 + grow) * angle.sin() * tucked
        z = middle[:, None] + (back - middle - 4)[:, None] * angle.cos() * tucked - grow * angle.cos()
        hung = torch.stack([x, y, z], -1)
        return torch.where((worn["sheet"] > 0)[:, None, None], hung, hung.new_tensor(_HIDDEN))


def _signed_distance(mean: np.ndarray, scalp: np.ndarray) -> np.ndarray:
    """Give mm from the edge of the scalp: positive inside, negative outside."""
    inside, outside = cKDTree(mean[scalp]), cKDTree(mean[~scalp])
    return np.where(scalp, outside.query(mean)[0], -inside.query(mean)[0]).astype(np.float32)


def _sheet_faces(first: int) -> Int[Tensor, "F 3"]:
    rows = torch.arange(_AROUND - 1)[:, None] * _DOWN + torch.arange(_DOWN - 1)
    a = (first + rows).flatten()
    b, c, d = a + 1, a + _DOWN, a + _DOWN + 1
    return torch.cat([torch.stack([a, b, c], 1), torch.stack([b, d, c], 1)])
