"""Antialiased renders for figures: the lit face, its shape in grey, colours painted on its shape."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

FIGURE_LIGHT = (0.72, 0.0, 0.22, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Bands of a white light from the front that shades painted colours softly; about 1 where it meets the face."""
Style = Literal["lit", "albedo", "geometry", "painted"]
"""How `draw_face` draws."""


@dataclass(frozen=True)
class Figure:
    """Hold a batch of figures.

    Attributes:
        image: (B, 3, H, W) in [0, 1], not multiplied by alpha.
        alpha: (B, 1, H, W) coverage in [0, 1].
    """

    image: Float[Tensor, "B 3 H W"]
    alpha: Float[Tensor, "B 1 H W"]


@torch.no_grad()
def draw_face(
    renderer: FaceRenderer,
    mesh: FaceMesh,
    T_cam_model: Float[Tensor, "B 4 4"],
    K: Float[Tensor, "B 3 3"] | Float[Tensor, "3 3"],
    image_size: int | tuple[int, int],
    style: Style = "geometry",
    *,
    light: Float[Tensor, "B 27"] | None = None,
    colors: Float[Tensor, "B N 3"] | None = None,
    faces: Int[Tensor, "F 3"] | None = None,
    supersample: int = 2,
) -> Figure:
    """Render figures with smooth edges: drawn larger, then averaged.

    Args:
        renderer: any.
        mesh: of B faces.
        T_cam_model: (B, 4, 4) poses.
        K: intrinsics in px of `image_size`.
        image_size: side, or height and width, in px.
        style: `lit` (albedo under `light`), `albedo`, `geometry` (grey under lights fixed to the head), or
            `painted` (`colors` under a soft light from the front, for error maps).
        light: (B, 27), for `lit`.
        colors: (B, N, 3) in [0, 1], for `painted`.
        faces: the triangles to draw, all if not given.
        supersample: factor of the larger drawing.

    Raises:
        MGCError: if the style is unknown, or lacks its light or colours.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform
        >>> model = load_face_model()
        >>> face = model.mean_coefficients()
        >>> figure = draw_face(FaceRenderer(), model(face), pose_to_transform(face.pose), intrinsics(32), image_size=32)
        >>> figure.image.shape, 0.3 < figure.alpha.mean().item() < 0.8
        (torch.Size([1, 3, 32, 32]), True)
    """
    check_choice("style", style, Style)
    if (style == "lit" and light is None) or (style == "painted" and colors is None):
        raise MGCError(f"`style={style}` needs `{'light' if style == 'lit' else 'colors'}`")
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    large = (height * supersample, width * supersample)
    scale = K.new_tensor([supersample, supersample, 1.0])[:, None]
    if style == "geometry":
        rendered = renderer.render_geometry(mesh, T_cam_model, K * scale, large, faces)
    else:
        # Y_00 = .886227: this ambient light leaves colours as they are.
        bands = FIGURE_LIGHT if style == "painted" else (1 / 0.886227, *[0.0] * 8)
        flat = mesh.verts.new_tensor(bands).repeat(3).expand(len(mesh.verts), -1)
        shown = dataclasses.replace(mesh, albedo=colors) if style == "painted" and colors is not None else mesh
        used = light if style == "lit" and light is not None else flat
        rendered = renderer(shown, T_cam_model, K * scale, used, large, faces)
    if supersample == 1:
        return Figure(rendered.image.clamp(0, 1), rendered.mask)
    alpha = F.avg_pool2d(rendered.mask, supersample)
    image = F.avg_pool2d(rendered.image.clamp(0, 1) * rendered.mask, supersample)
    return Figure(image / alpha.clamp(min=1e-6), alpha)
