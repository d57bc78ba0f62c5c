"""The renderer: posed, lit faces to images, masks and depth, from one rasterization a view."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.rendering.barycentric import CoveredPixels
from mgc_lightning.rendering.lighting import shade
from mgc_lightning.rendering.rasterizers import Rasterizer, get_rasterizer
from mgc_lightning.rendering.rasterizers.base import NEAR, RasterizerName
from mgc_lightning.structures import FaceMesh, Fragments, RenderedFace

GREY = 0.7529
"""Albedo of the geometry figures."""
POINT_LIGHTS = ((0.0, 0.0, 1000.0), (-1000.0, 0.0, 1000.0), (1000.0, 0.0, 1000.0))
"""Their white lights, mm in the model frame."""
POINT_LIGHT_INTENSITY = 0.5


class FaceRenderer(nn.Module):
    """Draw faces with hard visibility and soft attributes (MGCNet sec. 3).

    Which triangle wins a pixel is constant; colours and depth are interpolated with barycentric coordinates
    that are differentiable in the vertices, and so in pose, shape and intrinsics. There is no gradient at
    silhouettes. All maths runs in float32 (or float64 where the mesh is), outside autocast. Triangles with a
    corner behind the camera or not finite are left out.

    Args:
        rasterizer: `auto`, `numba`, `triton` or `pytorch3d` (see `get_rasterizer`), or a `Rasterizer`.

    Raises:
        MGCError: at the first call, if the rasterizer does not work on the mesh's device.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform
        >>> face_model = load_face_model()
        >>> face = face_model.mean_coefficients(batch_size=1)
        >>> T_cam_model = pose_to_transform(face.pose)
        >>> rendered = FaceRenderer()(face_model(face), T_cam_model, intrinsics(64), face.light, image_size=64)
        >>> rendered.image.shape, rendered.depth.shape, rendered.fragments.pix_to_face.shape
        (torch.Size([1, 3, 64, 64]), torch.Size([1, 1, 64, 64]), torch.Size([1, 64, 64]))
        >>> round(rendered.depth[0, 0, 32, 32].item(), -1)  # mm, beside the nose
        4990.0
    """

    def __init__(self, rasterizer: RasterizerName | Rasterizer = "auto") -> None:
        super().__init__()
        if isinstance(rasterizer, str):
            check_choice("rasterizer", rasterizer, RasterizerName)
        self.rasterizer = rasterizer

    def extra_repr(self) -> str:
        """Name the rasterizer."""
        name = self.rasterizer if isinstance(self.rasterizer, str) else self.rasterizer.name
        return f"rasterizer={name!r}"

    def forward(
        self,
        mesh: FaceMesh,
        T_cam_model: Float[Tensor, "B 4 4"],
        K: Float[Tensor, "B 3 3"] | Float[Tensor, "3 3"],
        light: Float[Tensor, "B 27"],
        image_size: int | tuple[int, int],
        faces: Int[Tensor, "F 3"] | None = None,
    ) -> RenderedFace:
        """Render lit faces.

        Args:
            mesh: of B samples, model frame, mm.
            T_cam_model: (B, 4, 4) poses.
            K: (B, 3, 3) or (3, 3) intrinsics in px.
            light: (B, 27) absolute spherical harmonics in the model frame.
            image_size: side, or height and width, of the images in px.
            faces: the triangles to draw, all of the mesh if None.

        Returns:
            Image (lit colours, 0 in the background, clipped below 0 but not above 1), mask, depth, fragments.
        """
        _check(mesh, T_cam_model)
        with torch.autocast(T_cam_model.device.type, enabled=False):
            colours = mesh.albedo * shade(mesh.normals, _promote(light))
            return self._render(mesh, T_cam_model, K, colours, image_size, faces)

    def render_geometry(
        self,
        mesh: FaceMesh,
        T_cam_model: Float[Tensor, "B 4 4"],
        K: Float[Tensor, "B 3 3"] | Float[Tensor, "3 3"],
        image_size: int | tuple[int, int],
        faces: Int[Tensor, "F 3"] | None = None,
    ) -> RenderedFace:
        """Render the shape alone: grey, diffuse, three white point lights fixed to the head.

        Args and returns as `forward`, without light.
        """
        _check(mesh, T_cam_model)
        with torch.autocast(T_cam_model.device.type, enabled=False):
            surface = torch.cat([mesh.verts, mesh.normals], dim=-1)
            return self._render(mesh, T_cam_model, K, surface, image_size, faces, _grey_figure)

    def rasterize(
        self,
        verts_cam: Float[Tensor, "B N 3"],
        faces: Int[Tensor, "F 3"],
        K: Float[Tensor, "B 3 3"] | Float[Tensor, "3 3"],
        image_size: int | tuple[int, int],
    ) -> Fragments:
        """Find the visible triangles and their barycentric coordinates.

        Args:
            verts_cam: (B, N, 3) mm, camera frame.
            faces: (F, 3) triangles.
            K: (B, 3, 3) or (3, 3) intrinsics in px.
            image_size: side, or height and width, in px.
        """
        with torch.autocast(verts_cam.device.type, enabled=False):
            fragments, _, _ = self._rasterize(_promote(verts_cam), faces, _promote(K), image_size)
        return fragments

    def _rasterize(
        self, verts_cam: Tensor, faces: Tensor, K: Tensor, image_size: int | tuple[int, int]
    ) -> tuple[Fragments, CoveredPixels, Tensor]:
        size = (image_size, image_size) if isinstance(image_size, int) else image_size
        verts_screen = _to_screen(verts_cam, K)
        kernel = self.rasterizer
        if isinstance(kernel, str):
            kernel = get_rasterizer(kernel, verts_cam.device)
        pix_to_face, _ = kernel(verts_screen.detach(), faces, size)
        pixels = CoveredPixels.of(pix_to_face, faces, verts_cam.shape[1], verts_screen.dtype)
        bary = pixels.barycentrics(verts_screen)
        dense = pixels.scatter(bary).permute(1, 2, 3, 0)
        return Fragments(pix_to_face, dense, faces), pixels, bary

    def _render(
        self,
        mesh: FaceMesh,
        T_cam_model: Tensor,
        K: Tensor,
        attributes: Tensor,
        image_size: int | tuple[int, int],
        faces: Tensor | None,
        colour: Callable[[Tensor], Tensor] | None = None,
    ) -> RenderedFace:
        # Zeros in place of NaN, here and in `_to_screen`: 0 * NaN would spoil the gradient of the whole pose.
        finite = mesh.verts.isfinite().all(-1, keepdim=True)
        verts = torch.where(finite, _promote(mesh.verts), 0.0)
        verts_cam = torch.where(finite, transform_points(_promote(T_cam_model), verts), 0.0)
        fragments, pixels, bary = self._rasterize(
            verts_cam, mesh.faces if faces is None else faces, _promote(K), image_size
        )
        values = pixels.interpolate(torch.cat([_promote(attributes), verts_cam[..., 2:]], dim=-1), bary)
        colours = values[:-1] if colour is None else colour(values[:-1])
        return RenderedFace(
            image=pixels.images(colours.clamp(min=0)),
            mask=fragments.mask[:, None].to(verts_cam.dtype),
            depth=pixels.images(values[-1:]),
            fragments=fragments,
        )


def render_attributes(fragments: Fragments, attributes: Float[Tensor, "B N C"]) -> Float[Tensor, "B C H W"]:
    """Interpolate vertex attributes over the visible triangles.

    Args:
        fragments: of B views.
        attributes: (B, N, C) of the vertices that `fragments.faces` indexes.

    Returns:
        (B, C, H, W), 0 in the background; differentiable in the attributes and the vertices.

    Example:
        >>> verts = torch.tensor([[[-99.0, -99, 5000], [99, -99, 5000], [0, 99, 5000]]])
        >>> from mgc_lightning.geometry import intrinsics
        >>> fragments = FaceRenderer().rasterize(verts, torch.tensor([[0, 1, 2]]), intrinsics(8), image_size=8)
        >>> render_attributes(fragments, verts[..., :1])[0, 0, 4].round().tolist()  # x in mm along a row of pixels
        [0.0, 0.0, 0.0, -15.0, 15.0, 0.0, 0.0, 0.0]
    """
    attributes = _promote(attributes)
    pixels = CoveredPixels.of(fragments.pix_to_face, fragments.faces, attributes.shape[1], fragments.bary.dtype)
    return pixels.images(pixels.interpolate(attributes, pixels.gather(fragments.bary)))


def _grey_figure(surface: Float[Tensor, "6 P"]) -> Float[Tensor, "3 P"]:
    """Shade every pixel by its own position and normal: per-vertex light would show the triangles."""
    position, normal = surface[:3], nn.functional.normalize(surface[3:], dim=0)
    lights = surface.new_tensor(POINT_LIGHTS)[..., None]
    towards = nn.functional.normalize(lights - position, dim=1)
    diffuse = (towards * normal).sum(1).clamp(min=0).sum(0)
    return (GREY * POINT_LIGHT_INTENSITY * diffuse).expand(3, -1)


def _to_screen(verts_cam: Tensor, K: Tensor) -> Tensor:
    """Give u, v in px and z in mm; z = 0, which rasterizers drop, for vertices that have no image."""
    visible = verts_cam.isfinite().all(-1, keepdim=True) & (verts_cam[..., 2:] > NEAR)
    safe = torch.where(visible, verts_cam, 1.0)
    return torch.cat([project(safe, K), torch.where(visible, safe[..., 2:], 0.0)], dim=-1)


def _promote(tensor: Tensor) -> Tensor:
    """Half precision to float32; float64 stays."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _check(mesh: FaceMesh, T_cam_model: Tensor) -> None:
    if mesh.verts.ndim != 3 or T_cam_model.shape != (mesh.verts.shape[0], 4, 4):
        raise MGCError(
            "Expected B meshes (B, N, 3) and B poses (B, 4, 4), got "
            f"{tuple(mesh.verts.shape)} and {tuple(T_cam_model.shape)}; flatten the views first"
        )
