"""The rasterizer of PyTorch3D, where it is installed."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.errors import MissingExtraError
from mgc_lightning.rendering.rasterizers.base import MIN_DOUBLE_AREA, NEAR, check_input


class PyTorch3DRasterizer:
    """Rasterize with `pytorch3d.renderer.rasterize_meshes` on CPU or CUDA (see `Rasterizer`).

    Winners equal those of the other backends except where two triangles are equally deep within float32 (edges
    that pass through a pixel centre, coinciding triangles).

    Raises:
        MissingExtraError: if PyTorch3D does not import.
    """

    name = "pytorch3d"

    def __init__(self) -> None:
        try:
            from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
            from pytorch3d.structures import Meshes
        except ImportError as error:
            raise MissingExtraError(
                f"The rasterizer `pytorch3d` needs PyTorch3D, which could not be imported ({error}). It is on "
                "conda-forge (see environment.yml) or built from source; or choose `auto`"
            ) from error
        self._rasterize_meshes = rasterize_meshes
        self._meshes = Meshes

    @torch.no_grad()
    def __call__(
        self, verts_screen: Float[Tensor, "B N 3"], faces: Int[Tensor, "F 3"], image_size: tuple[int, int]
    ) -> tuple[Int[Tensor, "B H W"], Float[Tensor, "B H W"]]:
        """Rasterize a batch (see `Rasterizer`)."""
        check_input(verts_screen, faces, image_size)
        batch = verts_screen.shape[0]
        verts = verts_screen.detach().float()
        pix_to_face = torch.full((batch, *image_size), -1, dtype=torch.int64, device=verts.device)
        zbuf = torch.zeros(batch, *image_size, device=verts.device)
        drawable = _drawable(verts, faces)
        for sample in range(batch):
            kept = drawable[sample].nonzero().squeeze(1)
            if not len(kept):
                continue
            ndc = _to_ndc(verts[sample], image_size).nan_to_num(0.0, 0.0, 0.0)
            # Reversed, as PyTorch3D gives ties to the first triangle.
            kept = kept.flip(0)
            found, depth, _, _ = self._rasterize_meshes(
                self._meshes(verts=[ndc], faces=[faces[kept]]),
                image_size=image_size,
                blur_radius=0.0,
                faces_per_pixel=1,
                perspective_correct=True,
                cull_backfaces=False,
            )
            found, depth = found[0, ..., 0], depth[0, ..., 0]
            covered = found >= 0
            pix_to_face[sample][covered] = kept[found[covered]]
            zbuf[sample][covered] = depth[covered]
        return pix_to_face, zbuf


def _drawable(verts: Float[Tensor, "B N 3"], faces: Int[Tensor, "F 3"]) -> Tensor:
    """Tell which triangles obey the rules of `Rasterizer`, (B, F)."""
    corners = verts.double()[:, faces]
    a, b = (corners[:, :, i, :2] - corners[:, :, 0, :2] for i in (1, 2))
    double_area = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).abs()
    finite = corners.isfinite().flatten(2).all(-1)
    return finite & (corners[..., 2].amin(-1) > NEAR) & (double_area > MIN_DOUBLE_AREA)


def _to_ndc(verts: Float[Tensor, "N 3"], image_size: tuple[int, int]) -> Float[Tensor, "N 3"]:
    """Turn pixels into PyTorch3D's NDC: x left, y up, +-1 at the shorter side's borders."""
    height, width = image_size
    half = min(height, width) / 2
    u, v, z = verts.unbind(-1)
    return torch.stack([(width / 2 - u) / half, (height / 2 - v) / half, z], dim=-1)
