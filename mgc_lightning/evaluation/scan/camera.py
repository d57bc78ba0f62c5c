"""Taking a photograph of a surface: perspective, light with cast shadows, background, sensor, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from mgc_lightning.evaluation.scan.backgrounds import draw_background
from mgc_lightning.evaluation.scan.plan import Light, PhotographPlan
from mgc_lightning.evaluation.scan.points import UPRIGHT
from mgc_lightning.evaluation.scan.surfaces import Surface
from mgc_lightning.geometry.camera import project
from mgc_lightning.rendering.renderer import FaceRenderer, render_attributes
from mgc_lightning.rendering.textured import sample_texture
from mgc_lightning.structures import Fragments

SUPERSAMPLE = 2
LAMP_DISTANCE = 3000.0
"""mm from the face to the lamp: its rays are nearly parallel."""
SHADOW_SIZE, SHADOW_HALF = 768, 260.0
"""Side in px of the map of what the lamp sees, and half its side in mm at the face."""
SHADOW_BIAS, SHADOW_LIFT = 1.5, 1.5
"""mm behind the lit surface that are lit too, and mm that points are lifted along their normal first: coarse triangles
would shade themselves."""
SHADOW_SOFT, SHADOW_TAPS = 5.0, 12
"""Radius in mm of a shadow's soft edge, and the rays that it is made of."""
FACE_RADIUS = 75.0
"""mm around the middle of the face that the exposure is measured on."""
FACE_BRIGHTNESS = 0.32
"""Mean of a face that the exposure aims at, of white in linear light (.6 in display space)."""
BLUR = 0.45
"""Standard deviation in px of lens and sensor."""


@dataclass(frozen=True)
class Photograph:
    """Hold a photograph as a file holds it.

    Attributes:
        jpeg: the file's bytes.
        pixels: (H, W, 3) what they decode to.
        mask: (H, W) share of each pixel that the surface covers.
    """

    jpeg: bytes
    pixels: UInt8[NDArray, "H W 3"]
    mask: Float[NDArray, "H W"]


@torch.no_grad()
def take_photograph(
    surface: Surface, plan: PhotographPlan, size: int, renderer: FaceRenderer | None = None
) -> Photograph:
    """Take a photograph.

    The surface's colours hold the light of the scanner, which is even; the plan's light multiplies them in linear
    light. The exposure follows the face, half: dark skin is darker than fair skin, as cameras leave it.

    Args:
        surface: in the head's frame.
        plan: camera, light, background, noise.
        size: side in px.
        renderer: finds what is visible.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.evaluation.scan.plan import plan_photographs
        >>> from mgc_lightning.evaluation.scan.settings import PhotographSettings
        >>> from mgc_lightning.evaluation.scan.surfaces import painted_surface
        >>> model = load_face_model()
        >>> head = painted_surface(model.mean, model.faces, model.albedo_mean)
        >>> plan = plan_photographs("anna", PhotographSettings(image_size=64))[0]
        >>> photograph = take_photograph(head, plan, size=64)
        >>> photograph.pixels.shape, photograph.jpeg[:2].hex(), bool(photograph.mask.mean() > 0.2)
        ((64, 64, 3), 'ffd8', True)
    """
    renderer = renderer or FaceRenderer()
    large = SUPERSAMPLE * size
    T = torch.from_numpy(plan.T_cam_head).float()
    verts_cam = surface.verts @ T[:3, :3].T + T[:3, 3]
    K = torch.from_numpy(plan.K).float() * torch.tensor([SUPERSAMPLE, SUPERSAMPLE, 1.0])[:, None]
    fragments = renderer.rasterize(verts_cam[None], surface.faces, K, large)
    colors = rgb_to_linear_rgb(_display_colors(surface, fragments))
    geometry = render_attributes(fragments, torch.cat([surface.verts, surface.normals], dim=-1)[None])
    eye = -(T[:3, :3].T @ T[:3, 3])
    covered = fragments.mask[0]
    factor = _light_on(surface, geometry[0, :, covered].T, eye, plan.light, renderer)
    lit = torch.zeros_like(colors)
    lit[0, :, covered] = colors[0, :, covered] * factor.T
    mask = F.avg_pool2d(fragments.mask[:, None].float(), SUPERSAMPLE)
    lit = F.avg_pool2d(lit, SUPERSAMPLE)
    rng = np.random.default_rng([*plan.seed, 3])
    ground = torch.from_numpy(draw_background(plan.background, size, rng)).permute(2, 0, 1)[None].float()
    image = linear_rgb_to_rgb((lit + (1 - mask) * rgb_to_linear_rgb(ground)).clamp(0, 1))
    return _develop(image[0].permute(1, 2, 0).double().numpy(), mask[0, 0].double().numpy(), plan, rng)


def _display_colors(surface: Surface, fragments: Fragments) -> Float[Tensor, "1 3 H W"]:
    if surface.texture is not None and surface.uv is not None:
        return sample_texture(fragments, surface.uv, surface.texture)
    assert surface.colors is not None, "a surface has a texture or colours"
    return render_attributes(fragments, surface.colors[None])


def _light_on(
    surface: Surface, points: Float[Tensor, "M 6"], eye: Float[Tensor, " 3"], light: Light, renderer: FaceRenderer
) -> Float[Tensor, "M 3"]:
    """Give the RGB factor of the light, exposed, at points (M, 6) of position and normal that the eye sees."""
    position, normal = points[:, :3], F.normalize(points[:, 3:], dim=1)
    # Scans are open surfaces, and some are inside out: a visible point faces the camera.
    toward = ((eye - position) * normal).sum(1, keepdim=True)
    normal = torch.where(toward < 0, -normal, normal)
    shadow = _Shadow(surface, torch.tensor(light.direction), renderer)
    factor = _factor(normal, shadow.visible(position + SHADOW_LIFT * normal), light)
    return factor * _exposure(surface, shadow, light)


def _factor(normals: Float[Tensor, "M 3"], seen: Float[Tensor, " M"], light: Light) -> Float[Tensor, "M 3"]:
    direct = (normals @ torch.tensor(light.direction)).clamp(min=0) * seen
    # A room is brighter above than below.
    around = 0.75 + 0.25 * normals[:, 1]
    ambient = light.ambient * around[:, None] * torch.tensor(light.sky)
    return ambient + (1 - light.ambient) * direct[:, None] * torch.tensor(light.lamp)


def _exposure(surface: Surface, shadow: _Shadow, light: Light) -> float:
    """Set the exposure by the front of the face: its light in full, the brightness of its skin half."""
    front = ((surface.verts - torch.tensor(UPRIGHT).mean(0)).norm(dim=1) < FACE_RADIUS) & (
        surface.normals[:, 2].abs() > 0.2
    )
    normals = surface.normals[front] * surface.normals[front, 2:].sign()
    mean = _factor(normals, shadow.visible(surface.verts[front] + SHADOW_LIFT * normals), light).mean()
    skin = rgb_to_linear_rgb(_vertex_colors(surface)[front].T[None, :, :, None]).mean().clamp(min=0.01)
    return light.exposure * float((FACE_BRIGHTNESS / skin).sqrt() / mean)


def _vertex_colors(surface: Surface) -> Float[Tensor, "N 3"]:
    if surface.texture is None or surface.uv is None:
        assert surface.colors is not None, "a surface has a texture or colours"
        return surface.colors
    grid = surface.uv[None, None] * 2 - 1
    return F.grid_sample(surface.texture[None], grid, padding_mode="border", align_corners=False)[0, :, 0].T


class _Shadow:
    """Tell what a lamp sees, with soft edges: a depth map from the lamp, read at several places (percentage closer)."""

    def __init__(self, surface: Surface, direction: Float[Tensor, " 3"], renderer: FaceRenderer) -> None:
        middle = torch.tensor(UPRIGHT).mean(0) - torch.tensor([0.0, 0.0, 60.0])
        z = -direction
        x = F.normalize(torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), z), dim=0)
        self.R = torch.stack([x, torch.linalg.cross(z, x), z])
        self.t = torch.tensor([0.0, 0.0, LAMP_DISTANCE]) - self.R @ middle
        focal = SHADOW_SIZE / 2 * LAMP_DISTANCE / SHADOW_HALF
        self.K = torch.tensor([[focal, 0, SHADOW_SIZE / 2], [0, focal, SHADOW_SIZE / 2], [0, 0, 1]])
        verts = surface.verts @ self.R.T + self.t
        fragments = renderer.rasterize(verts[None], surface.faces, self.K, SHADOW_SIZE)
        depth = render_attributes(fragments, verts[None, :, 2:])
        self.depth = torch.where(fragments.mask[:, None], depth, torch.inf)
        turn = torch.arange(SHADOW_TAPS) * 2.399963  # the golden angle spreads them over the disc
        radius = SHADOW_SOFT * ((torch.arange(SHADOW_TAPS) + 0.5) / SHADOW_TAPS).sqrt()
        self.taps = torch.stack([radius * turn.cos(), radius * turn.sin()], dim=-1)

    def visible(self, points: Float[Tensor, "M 3"]) -> Float[Tensor, " M"]:
        """Give the share of the lamp that points (M, 3) see."""
        placed = points @ self.R.T + self.t
        total = torch.zeros(len(points))
        for tap in self.taps:
            moved = torch.cat([placed[:, :2] + tap, placed[:, 2:]], dim=-1)
            grid = project(moved, self.K) / SHADOW_SIZE * 2 - 1
            hit = F.grid_sample(
                self.depth, grid[None, None], mode="nearest", padding_mode="border", align_corners=False
            )[0, 0, 0]
            total += (placed[:, 2] <= hit + SHADOW_BIAS).float()
        return total / SHADOW_TAPS


def _develop(
    image: Float[NDArray, "H W 3"], mask: Float[NDArray, "H W"], plan: PhotographPlan, rng: np.random.Generator
) -> Photograph:
    """Add what lens, sensor and file do."""
    image = gaussian_filter(image, (BLUR, BLUR, 0))
    # A sensor's noise grows with the light; half of it is common to the colours after demosaicing.
    strength = plan.noise * np.sqrt(0.3 + image)
    noise = 0.7 * rng.normal(0, 1, image.shape) + 0.7 * rng.normal(0, 1, (*image.shape[:2], 1))
    pixels = np.round((image + strength * noise).clip(0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=plan.quality)
    decoded = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    return Photograph(buffer.getvalue(), decoded, mask)
