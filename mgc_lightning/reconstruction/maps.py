"""Depth and normals of a face as images in the pixels of its photograph."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.pictures.drawing import Picture, to_picture
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.rendering.renderer import FaceRenderer, render_attributes

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px of a photograph, ends excluded."""


@dataclass(frozen=True)
class GeometryMaps:
    """Hold what the camera of a photograph sees of a face.

    Attributes:
        depth: (H, W) camera z in mm, 0 where there is no face.
        normals: (H, W, 3) unit vectors in the camera's frame (x right, y down, z away), 0 where there is no face.

    Example:
        >>> depth = torch.tensor([[0.0, 640.0]])  # mm; nothing at the first pixel
        >>> maps = GeometryMaps(depth, torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, -1.0]]]))
        >>> maps.mask.tolist(), depth_unit(maps), depth_steps(maps).tolist()
        ([[False, True]], 0.1, [[0, 6400]])
        >>> draw_normals(maps)[0].tolist()  # a normal toward the camera is blue
        [[0, 0, 0], [128, 128, 255]]
    """

    depth: Float[Tensor, "H W"]
    normals: Float[Tensor, "H W 3"]

    @property
    def mask(self) -> Bool[Tensor, "H W"]:
        """Pixels that show the face."""
        return self.depth > 0


def face_window(face: PlacedFace, margin: int = 0, faces: Int[Tensor, "F 3"] | None = None) -> Window:
    """Bound the head, or some of its triangles, in its photograph, where only this window is drawn. It may be empty."""
    verts = face.mesh.verts if faces is None else face.mesh.verts[faces.unique()]
    points = project(transform_points(face.T_cam_model, verts), face.K)
    height, width = face.image.shape[1:]
    x0, y0 = (max(0, int(v) - margin) for v in points.amin(0).floor().tolist())
    x1, y1 = (
        min(side, int(v) + 1 + margin) for side, v in zip((width, height), points.amax(0).ceil().tolist(), strict=True)
    )
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0, 0, 0, 0)


def window_intrinsics(K: Float[Tensor, "3 3"], window: Window) -> Float[Tensor, "3 3"]:
    """Give the intrinsics of a part of an image.

    Example:
        >>> K = torch.tensor([[1000.0, 0.0, 320.0], [0.0, 1000.0, 240.0], [0.0, 0.0, 1.0]])
        >>> window_intrinsics(K, (100, 50, 400, 350))[:2, 2]  # the principal point moves with the corner
        tensor([220., 190.])
    """
    moved = K.clone()
    moved[0, 2] -= window[0]
    moved[1, 2] -= window[1]
    return moved


@torch.no_grad()
def geometry_maps(face: PlacedFace, renderer: FaceRenderer, faces: Int[Tensor, "F 3"]) -> GeometryMaps:
    """Draw depth and normals at the size of the photograph.

    Args:
        face: one face.
        renderer: any.
        faces: the triangles to draw.
    """
    height, width = face.image.shape[1:]
    depth, normals = torch.zeros(height, width), torch.zeros(height, width, 3)
    x0, y0, x1, y1 = window = face_window(face, faces=faces)
    if x1 > x0:
        verts = transform_points(face.T_cam_model, face.mesh.verts)
        turned = face.mesh.normals @ face.T_cam_model[:3, :3].T
        size = (y1 - y0, x1 - x0)
        fragments = renderer.rasterize(verts[None], faces, window_intrinsics(face.K, window), size)
        seen = render_attributes(fragments, torch.cat([verts[:, 2:], turned], dim=1)[None])[0].cpu()
        depth[y0:y1, x0:x1] = seen[0]
        normals[y0:y1, x0:x1] = torch.nn.functional.normalize(seen[1:], dim=0).permute(1, 2, 0)
    return GeometryMaps(depth, normals)


def depth_unit(maps: GeometryMaps) -> float:
    """Give the mm for which one step of a 16-bit picture of the depth stands: .1, or more where z needs it."""
    return 0.1 * max(1, int(np.ceil(float(maps.depth.max()) / 6553.5)))


def depth_steps(maps: GeometryMaps) -> np.ndarray:
    """Give the depth as (H, W) uint16 in steps of `depth_unit`; 0 where there is no face."""
    return (maps.depth / depth_unit(maps)).round().numpy().astype(np.uint16)


def draw_depth(maps: GeometryMaps) -> Picture:
    """Colour the depth for the eye: near is bright."""
    mask = maps.mask
    if not bool(mask.any()):
        return to_picture(torch.zeros(3, *mask.shape))
    inside = maps.depth[mask]
    near, far = inside.min(), inside.max()
    shade = ((far - maps.depth) / (far - near).clamp(min=1e-6)).clamp(0, 1).numpy()
    colours = matplotlib.colormaps["magma"](0.1 + 0.9 * shade)[..., :3]
    return to_picture(np.where(mask.numpy()[..., None], colours, 0.0))


def draw_normals(maps: GeometryMaps) -> Picture:
    """Colour the normals as normal maps do: red to the right, green up, blue toward the camera."""
    toward = maps.normals * maps.normals.new_tensor([1.0, -1.0, -1.0])
    return to_picture(((toward + 1) / 2 * maps.mask[..., None]).numpy())
