"""A texture for a face: the photograph where it shows the surface, the predicted colours elsewhere.

Every triangle has a patch of its own in the atlas, two to a square cell, so that any topology, open mouths and the
back of a head included, has texture coordinates without overlap or distortion along seams.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt, grey_dilation, grey_erosion
from scipy.sparse.linalg import splu
from torch import Tensor

from mgc_lightning.geometry.camera import FACE_SIZE, project
from mgc_lightning.geometry.edges import adjacency
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.pictures.drawing import Picture, to_picture
from mgc_lightning.reconstruction.atlas import Atlas
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.reconstruction.maps import GeometryMaps, face_window, geometry_maps
from mgc_lightning.rendering.lighting import shade
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

FACING = (0.15, 0.45)
"""Cosine between normal and line of sight from which the photograph counts, and from which it counts alone."""
BESIDE = (0.04, 0.11)
"""Distance from the background, in face sizes, from which the photograph counts, and from which it counts alone: a
reconstructed outline is not that of the photograph, and beyond that one are hair and background."""
STEP, BEHIND_STEP = 8.0, (0.004, 0.02)
"""mm by which the depth jumps where one part of the face hides another; and the distances from such a jump, in face
sizes, as `BESIDE`, of the part that is hidden."""
STRANGE = (3.0, 6.0)
"""Distance of a colour from those of the face's middle, in their standard deviations, up to which it is skin, and from
which it is not; it is asked near the outline only."""
OUTLINE = (0.1, 0.25)
"""Distances from the background, in face sizes, up to which, and from which no more, colours are asked."""
SPREAD = 3.0
"""How stiffly the ratio of photograph and prediction goes on over the surface where the photograph is not seen."""
BEHIND = (1.0, 4.0)
"""mm behind the visible surface up to which the photograph counts alone, and from which not at all."""
GAIN_LIMITS = (0.4, 2.5)


@torch.no_grad()
def bake_texture(
    face: PlacedFace,
    faces: Int[Tensor, "F 3"],
    atlas: Atlas,
    renderer: FaceRenderer,
    mesh: FaceMesh | None = None,
) -> tuple[Picture, Float[Tensor, "S S"]]:
    """Colour every texel by the photograph, faded into the predicted lit colours where it does not show the surface.

    The photograph does not count where the surface is hidden or seen from the side, near the outline, where background
    and hair begin, nor where it has another colour than the face there. Predicted colours are scaled to the
    photograph's by a ratio that goes on smoothly over the surface from where both are known, so that no seam is seen.

    Args:
        face: one face.
        faces: (F, 3) the triangles of the atlas.
        atlas: for as many triangles.
        renderer: finds what is visible.
        mesh: what the triangles index, in the model frame; the face's own mesh if not given.

    Returns:
        the texture (S, S, 3), and how much of each texel is the photograph's, in [0, 1].

    Example:
        >>> from mgc_lightning import FaceReconstructor, FaceRenderer
        >>> from mgc_lightning.reconstruction.atlas import make_atlas
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> faces = reconstructor.face_model.face_region_faces
        >>> texture, share = bake_texture(face, faces, make_atlas(len(faces), cell=8), FaceRenderer())
        >>> texture.shape == (*share.shape, 3), bool(0 <= share.min() <= share.max() <= 1)
        (True, True)
    """
    surface = face.mesh if mesh is None else mesh
    colors = (surface.albedo * shade(surface.normals, face.coefficients.light)).clamp(0, 1)
    corners = faces[atlas.triangle.to(faces.device)]
    weights = atlas.bary.to(surface.verts)

    def at_texels(values: Tensor) -> Tensor:
        return torch.stack([values[corners[..., i]] * weights[..., i, None] for i in range(3)]).sum(0).flatten(0, 1)

    view = _View(face, renderer)
    predicted = at_texels(colors)
    seen, share = view.look(at_texels(surface.verts), at_texels(surface.normals))
    seen_verts, share_verts = view.look(surface.verts, surface.normals)
    ratio = _ratio(seen_verts, colors, share_verts, faces)
    predicted = (predicted * at_texels(ratio)).clamp(0, 1)
    colours = torch.lerp(predicted, seen, share[:, None]).unflatten(0, atlas.triangle.shape)
    return to_picture(colours.cpu().numpy()), share.unflatten(0, atlas.triangle.shape).cpu()


class _View:
    """Tell what the photograph shows of a surface, and how far to believe it."""

    def __init__(self, face: PlacedFace, renderer: FaceRenderer) -> None:
        self.face = face
        self.maps = geometry_maps(face, renderer, face.mesh.faces)
        px = float(face.K[0, 0] / face.T_cam_model[2, 3]) * FACE_SIZE
        self.beside, self.behind = (away / max(px, 1.0) for away in self._distances())
        self.skin: tuple[Tensor, Tensor] | None = None
        verts, normals = face.mesh.verts, face.mesh.normals
        seen, share = self.look(verts, normals)
        sure = (share > 0.9) & (self._facing(self._points(verts), self._normals(normals)) > 0.7)
        if int(sure.sum()) > 50:
            self.skin = _usual_colours(seen[sure])

    def look(
        self, verts: Float[Tensor, "P 3"], normals: Float[Tensor, "P 3"]
    ) -> tuple[Float[Tensor, "P 3"], Float[Tensor, " P"]]:
        """Give the photograph's colours of points, model frame, and how much they count, in [0, 1]."""
        points, face = self._points(verts), self.face
        pixels = project(points, face.K)
        facing = self._facing(points, self._normals(normals))
        share = _visibility(points, pixels, facing, face, self.maps)
        beside, behind = (_sample(away[None].to(points), pixels)[0] for away in (self.beside, self.behind))
        share = share * _ramp(beside, *BESIDE) * _ramp(behind, *BEHIND_STEP)
        seen = _sample(face.image.to(points), pixels).T
        if self.skin is not None:
            middle, whiten = self.skin
            strange = ((_opponent(seen) - middle) @ whiten).norm(dim=-1)
            share = share * (1 - _ramp(strange, *STRANGE) * (1 - _ramp(beside, *OUTLINE)))
        return seen, share

    def _points(self, verts: Tensor) -> Tensor:
        return transform_points(self.face.T_cam_model, verts)

    def _normals(self, normals: Tensor) -> Tensor:
        return F.normalize(normals, dim=-1) @ self.face.T_cam_model[:3, :3].T

    @staticmethod
    def _facing(points: Tensor, normals: Tensor) -> Float[Tensor, " P"]:
        return -(normals * F.normalize(points, dim=-1)).sum(-1)

    def _distances(self) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
        """Give how far each pixel is from the background, and from the nearer side of a jump of the depth, px."""
        depth = self.maps.depth.numpy()
        high, wide = depth.shape
        beside, behind = np.zeros_like(depth), np.full_like(depth, high + wide)
        x0, y0, x1, y1 = face_window(self.face, margin=2)
        if x1 <= x0:
            return torch.from_numpy(beside), torch.from_numpy(behind)
        part = depth[y0:y1, x0:x1]
        # The edge of the picture is no outline: what lies there is the face.
        beside[y0:y1, x0:x1] = distance_transform_edt(part > 0) if (part == 0).any() else high + wide
        nearer = grey_erosion(np.where(part > 0, part, np.inf), size=3)
        hidden = (part > 0) & (part - nearer > STEP)
        if hidden.any():
            # Of the hidden side only: the distance is from its own edge, over its own pixels.
            away = distance_transform_edt(~hidden)
            front = grey_dilation(np.where(hidden, part, 0), size=2 * int(BEHIND_STEP[1] * max(x1 - x0, y1 - y0)) + 3)
            behind[y0:y1, x0:x1] = np.where(part >= front - STEP, away, high + wide)
        return torch.from_numpy(beside), torch.from_numpy(behind)


def _opponent(colours: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
    """Give log brightness and two log ratios of colours: shade changes the first only."""
    log = colours.clamp(min=0.02).log()
    return torch.stack([log.mean(-1), log[:, 0] - log[:, 1], log[:, 1] - log[:, 2]], dim=-1)


def _usual_colours(seen: Float[Tensor, "P 3"]) -> tuple[Float[Tensor, " 3"], Float[Tensor, "3 3"]]:
    """Give the middle of the face's colours, and what brings deviations to standard ones: robust, with a floor."""
    values = _opponent(seen)
    middle = values.median(0).values
    spread = 1.4826 * (values - middle).abs().median(0).values
    return middle, torch.diag(1 / spread.clamp(min=0.06))


def _ratio(
    seen: Float[Tensor, "N 3"], predicted: Float[Tensor, "N 3"], share: Float[Tensor, " N"], faces: Int[Tensor, "F 3"]
) -> Float[Tensor, "N 3"]:
    """Find what brings predicted to seen colours: theirs where both are known, as even as can be where not."""
    used = torch.unique(faces)
    if float(share[used].sum()) <= 1:
        return torch.ones_like(predicted)
    graph = adjacency(faces.cpu().numpy(), len(predicted))
    laplacian = sp.diags(np.asarray(graph.sum(1)).ravel()) - graph
    # What counts by half may be half background: it says less of the face's colours than its share.
    weight = share.double().square().cpu().numpy()
    known = (seen.clamp(min=0.01) / predicted.clamp(min=0.01)).clamp(*GAIN_LIMITS).log().double().cpu().numpy()
    # Islands without any seen vertex take the mean of all.
    mean = (known * weight[:, None]).sum(0) / weight.sum()
    system = (sp.diags(weight + 1e-4) + SPREAD * laplacian).tocsc()
    solved = splu(system).solve(weight[:, None] * known + 1e-4 * mean)
    return torch.from_numpy(np.exp(solved)).to(predicted)


def _visibility(
    points: Float[Tensor, "P 3"],
    pixels: Float[Tensor, "P 2"],
    facing: Float[Tensor, " P"],
    face: PlacedFace,
    maps: GeometryMaps,
) -> Float[Tensor, " P"]:
    depth = _sample(maps.depth[None].to(points), pixels, "nearest")[0]
    # Within one pixel of the depth a slanted surface falls by this much (a shadow map's slope-scaled bias).
    cosine = facing.clamp(FACING[0], 1.0)
    fall = points[:, 2] / face.K[0, 0] * (1 - cosine.square()).sqrt() / cosine
    behind = points[:, 2] - depth - fall
    share = _ramp(facing, *FACING) * (1 - _ramp(behind, *BEHIND))
    return torch.where(depth > 0, share, torch.zeros_like(share))


def _ramp(values: Tensor, low: float, high: float) -> Tensor:
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _sample(
    image: Float[Tensor, "C H W"], uv: Float[Tensor, "P 2"], mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Float[Tensor, "C P"]:
    size = uv.new_tensor([image.shape[2], image.shape[1]])
    grid = (2 * uv / size - 1)[None, None]
    return F.grid_sample(image[None], grid, mode=mode, padding_mode="zeros", align_corners=False)[0, :, 0]
