"""A head as a camera sees it: dressed, lit, shaded a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.rendering.barycentric import CoveredPixels
from mgc_lightning.rendering.lighting import shade
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh
from mgc_lightning.synthetic.glasses import NUMBERS as GLASSES_NUMBERS
from mgc_lightning.synthetic.glasses import VERTS as GLASSES_VERTS
from mgc_lightning.synthetic.glasses import glasses_faces, place_glasses
from mgc_lightning.synthetic.hair import FIELDS as HAIR_FIELDS
from mgc_lightning.synthetic.hair import NEEDED_REGIONS, Dressed, Hair, unpack
from mgc_lightning.synthetic.hair import NUMBERS as HAIR_NUMBERS
from mgc_lightning.synthetic.occlusion import ambient_occlusion, light_frame, lit_share, shadow_maps, to_light
from mgc_lightning.synthetic.skin import FIELDS, MASK_NAMES, MASKS, has_skin
from mgc_lightning.synthetic.surface import KEY_NUMBERS, SKIN_NUMBERS, Surface, SurfaceShader

_SHADOW_SIZE = 128
_GLOSS = {"nosetip": 1.6, "forehead": 1.3, "lips": 1.5, "cheeks": 1.1, "eyeball": 4.0, "hair": 0.5}
"""How much stronger than other skin parts shine; above 3 is wet."""


def has_head(face_model: FaceModel) -> bool:
    """Tell whether a face model has what hair and skin detail need: a scalp, and a procedural skin's masks.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> has_head(load_face_model())
        True
    """
    return has_skin(face_model) and set(NEEDED_REGIONS) <= set(face_model.region_names)


@dataclass
class HeadPicture:
    """Hold pictures of n heads before any background.

    Attributes:
        image: (n, 3, H, W) in [0, 1], 0 outside.
        alpha: (n, 1, H, W) how much of a pixel the head covers.
        skin: (n, 1, H, W) probability of skin.
        depth: (n, 1, H, W) camera z of bare face in mm, 0 elsewhere.
    """

    image: Float[Tensor, "n 3 H W"]
    alpha: Float[Tensor, "n 1 H W"]
    skin: Float[Tensor, "n 1 H W"]
    depth: Float[Tensor, "n 1 H W"]


class Head(nn.Module):
    """Draw dressed heads.

    Args:
        face_model: one for which `has_head` holds.
        faces: the head's triangles that are drawn.
        skin: (N,) probability of each vertex to be skin.
        renderer: its rasterizer is used.
    """

    faces: Int[Tensor, "F 3"]
    skin: Float[Tensor, " N"]
    open: Float[Tensor, " M"]
    gloss: Float[Tensor, " M"]
    plain: Float[Tensor, " M"]
    rest: Float[Tensor, "M 3"]

    def __init__(
        self, face_model: FaceModel, faces: Int[Tensor, "F 3"], skin: Float[Tensor, " N"], renderer: FaceRenderer
    ) -> None:
        super().__init__()
        self.renderer = renderer
        masks = torch.from_numpy(face_model.vertex_extras[MASKS]).float() / 255
        names = list(face_model.notes[MASK_NAMES])
        waves = torch.from_numpy(face_model.vertex_extras[FIELDS]).float()
        waves = waves / waves.square().mean(1, keepdim=True).sqrt()
        self.hair = Hair(face_model, masks[names.index("beard")], waves)
        self.num_verts, sheet = face_model.num_verts, len(self.hair.rest) - face_model.num_verts
        gloss = torch.ones(face_model.num_verts)
        for name, value in _GLOSS.items():
            gloss = torch.lerp(gloss, torch.full_like(gloss, value), masks[names.index(name)])
        extra = (sheet, GLASSES_VERTS)
        padded = {
            "open": (ambient_occlusion(face_model.mean, faces), (0.8, 1.0)),
            "gloss": (gloss, (0.5, 2.5)),
            "plain": (torch.zeros(face_model.num_verts), (0.0, 1.0)),
            "skin": (skin, (0.0, 0.0)),
        }
        for name, (head, others) in padded.items():
            parts = [head, *(torch.full((count,), value) for count, value in zip(extra, others, strict=True))]
            self.register_buffer(name, torch.cat(parts), persistent=False)
        worn = [self.hair.faces, glasses_faces(len(self.hair.rest))]
        self.register_buffer("faces", torch.cat([faces, *worn]), persistent=False)
        self.register_buffer("rest", F.pad(self.hair.rest, (0, 0, 0, GLASSES_VERTS)), persistent=False)
        self.shader = SurfaceShader()

    def forward(
        self,
        latents: dict[str, Tensor],
        mesh: FaceMesh,
        points: Float[Tensor, "n 68 3"],
        T_cam_model: Float[Tensor, "n 4 4"],
        K: Float[Tensor, "n 3 3"],
        hair_colour: Float[Tensor, "n 3"],
        image_size: int,
        supersampling: float = 1.0,
    ) -> HeadPicture:
        """Draw heads.

        Args:
            latents: of n views, as `LatentSampler` draws them.
            mesh: bare heads.
            points: their landmarks, mm, model frame.
            T_cam_model: poses.
            K: px.
            hair_colour: display space.
            image_size: side in px.
            supersampling: rays a pixel on each axis.
        """
        dressed = self._dress(latents, mesh, points, hair_colour)
        size = round(image_size * supersampling)
        K = K.clone()
        K[:, :2] *= size / image_size
        verts_cam = transform_points(T_cam_model, dressed.verts)
        fragments = self.renderer.rasterize(verts_cam, self.faces, K, size)
        pixels = CoveredPixels.of(fragments.pix_to_face, fragments.faces, dressed.verts.shape[1], torch.float32)
        bary = pixels.gather(fragments.bary)
        n = len(dressed.verts)
        fixed = torch.cat(
            [self.rest, self.open[:, None], self.gloss[:, None], self.plain[:, None], self.skin[:, None]], 1
        )
        normals = vertex_normals(dressed.verts, self.faces)
        attributes = torch.cat(
            [fixed.expand(n, -1, -1), normals, self._albedo(mesh, dressed), dressed.colour, dressed.level[..., None],
             dressed.cloth[..., None], verts_cam[..., 2:], dressed.verts, shade(normals, latents["light"])], 2
        )  # fmt: skip
        values = pixels.interpolate(attributes, bary)
        surface = Surface(
            pixels=pixels, rest=values[:3], open=values[3], gloss=values[4], plain=values[5], normal=values[7:10],
            albedo=values[10:13], cover=values[13:16], level=values[16], cloth=values[17], sky=values[22:25],
        )  # fmt: skip
        lamp = latents.get("lamp", mesh.verts.new_zeros(n, KEY_NUMBERS))
        colours, covered = self.shader(
            surface,
            latents.get("skin_detail", mesh.verts.new_zeros(n, SKIN_NUMBERS)),
            lamp,
            self._lit(dressed.verts, lamp, values[19:22], pixels),
            F.normalize(-T_cam_model[:, 2, :3], dim=-1),
            *self._strands(latents, n, mesh.verts),
        )
        bare = (1 - covered) * (values[5] < 0.5)
        skin = values[6] * bare
        drawn = torch.cat(
            [colours.clamp(0, 1), skin[None], (values[18] * (bare > 0.5))[None], torch.ones_like(skin)[None]]
        )
        image, skin, depth, alpha = pixels.images(drawn).split([3, 1, 1, 1], 1)
        if size > image_size:
            # Depth is averaged over what is face, and given where all of a pixel is.
            known = shrink((depth > 0).float(), image_size)
            depth = shrink(depth, image_size) / known.clamp(min=1e-6) * (known > 0.99)
            image, skin, alpha = (shrink(plane, image_size).clamp(0, 1) for plane in (image, skin, alpha))
        return HeadPicture(image=image, alpha=alpha, skin=skin, depth=depth)

    def _dress(self, latents: dict[str, Tensor], mesh: FaceMesh, points: Tensor, hair_colour: Tensor) -> Dressed:
        n = len(mesh.verts)
        nothing = mesh.verts.new_zeros
        hair = latents.get("hair", nothing(n, HAIR_NUMBERS))
        if "hair" not in latents:
            # A level far behind the head: the painted scalp of the complexion is all there is.
            hair[:, 0] = -1000
        head = self.hair(mesh.verts, mesh.normals, hair, hair_colour)
        worn, colour = place_glasses(latents.get("glasses", nothing(n, GLASSES_NUMBERS)), points)
        none = worn.new_zeros(worn.shape[:2])
        return Dressed(
            verts=torch.cat([head.verts, worn], 1),
            level=torch.cat([head.level, none - 1000], 1),
            colour=torch.cat([head.colour, colour], 1),
            cloth=torch.cat([head.cloth, none], 1),
        )

    def _albedo(self, mesh: FaceMesh, dressed: Dressed) -> Float[Tensor, "n M 3"]:
        return torch.cat([mesh.albedo, dressed.colour[:, self.num_verts :]], 1)

    def _lit(self, verts: Tensor, lamp: Tensor, position: Tensor, pixels: CoveredPixels) -> Float[Tensor, " P"]:
        hard = lamp[:, 6]
        lit = torch.ones_like(position[0])
        index = (hard > 0).nonzero().squeeze(1)
        if len(index) == 0:
            return lit
        frame = light_frame(lamp[:, :3])
        maps = verts.new_zeros(len(verts), 1, _SHADOW_SIZE, _SHADOW_SIZE)
        maps[index] = shadow_maps(verts[index], self.faces, frame[index], _SHADOW_SIZE)
        chosen = (hard[pixels.view] > 0).nonzero().squeeze(1)
        view = pixels.view[chosen]
        where = _rows_to_light(position[:, chosen], frame, view)
        lit[chosen] = 1 - hard[view] * (1 - lit_share(maps, where, view))
        return lit

    @staticmethod
    def _strands(latents: dict[str, Tensor], n: int, like: Tensor) -> tuple[Tensor, Tensor]:
        if "hair" not in latents:
            return like.new_zeros(n, 3), like.new_zeros(n)
        worn = unpack(latents["hair"], HAIR_FIELDS)
        return worn["place"], worn["streaks"]


def shrink(images: Float[Tensor, "n C H W"], size: int) -> Float[Tensor, "n C S S"]:
    """Shrink square pictures as a sensor gathers light: every ray counts.

    Example:
        >>> edge = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(1, 1, 4, 4)
        >>> shrink(edge, 2)[0, 0, 0]
        tensor([0.0000, 0.4286])
    """
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _rows_to_light(position: Float[Tensor, "3 P"], frame: Tensor, view: Int[Tensor, " P"]) -> Float[Tensor, "3 P"]:
    """Map points component first, each by the frame of its view; as `to_light`."""
    rows = frame.flatten(1).T[:, view]
    turned = torch.stack([(rows[3 * i : 3 * i + 3] * position).sum(0) for i in range(3)])
    # The map's offsets do not depend on the frame's rows alone: they come from the turned centre.
    origin = to_light(position.new_zeros(1, 1, 3).expand(len(frame), -1, -1), frame, _SHADOW_SIZE)[:, 0].T[:, view]
    scale = position.new_tensor([[_SHADOW_SIZE / 340.0], [_SHADOW_SIZE / 340.0], [1.0]])
    return turned * scale + origin
