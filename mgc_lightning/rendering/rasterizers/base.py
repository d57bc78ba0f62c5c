"""What every rasterizer does: hard visibility, without gradients."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.errors import MGCError

RasterizerName = Literal["auto", "numba", "triton", "pytorch3d"]
"""Rasterizers by name; `auto` takes the one that suits the device."""
NEAR = 1.0
"""Triangles with a corner at camera z <= NEAR mm are dropped whole; there is no clipping."""
MIN_DOUBLE_AREA = 1e-6
"""Triangles of a smaller doubled area in px^2 are dropped: their barycentric coordinates are noise."""


@runtime_checkable
class Rasterizer(Protocol):
    """Find the nearest triangle at every pixel centre (column + .5, row + .5).

    All backends obey the same rules, so that they can be exchanged:

    - A triangle covers a pixel if its centre lies inside or on an edge; both orientations are drawn.
    - Of the triangles that cover a pixel the one with the largest 1/z wins. 1/z is interpolated linearly on
      the screen (hence perspective-correct) in float64 and rounded to float32; of equals the last one wins.
    - Triangles with a corner that is not finite or has z <= `NEAR`, or with a doubled area of at most
      `MIN_DOUBLE_AREA`, are dropped.

    Example:
        >>> from mgc_lightning.rendering.rasterizers.choice import get_rasterizer
        >>> rasterizer = get_rasterizer("numba")
        >>> corners = torch.tensor([[[0.0, 0, 900], [8, 0, 900], [0, 8, 900]]])  # px, px, mm
        >>> pix_to_face, depth = rasterizer(corners, torch.tensor([[0, 1, 2]]), (4, 4))
        >>> pix_to_face[0, 0].tolist(), round(depth[0, 0, 0].item())
        ([0, 0, 0, 0], 900)
    """

    name: str

    def __call__(
        self, verts_screen: Float[Tensor, "B N 3"], faces: Int[Tensor, "F 3"], image_size: tuple[int, int]
    ) -> tuple[Int[Tensor, "B H W"], Float[Tensor, "B H W"]]:
        """Rasterize a batch of meshes of one topology.

        Args:
            verts_screen: (B, N, 3) u in px, v in px, camera z in mm.
            faces: (F, 3) int64 vertex indices.
            image_size: height and width in px.

        Returns:
            pix_to_face (B, H, W) int64, -1 in the background, and zbuf (B, H, W) float32 camera z in mm, 0 in
            the background.
        """
        ...


def check_input(verts_screen: Tensor, faces: Tensor, image_size: tuple[int, int]) -> None:
    """Refuse shapes, types and indices that a kernel would read out of bounds.

    Raises:
        MGCError: saying what was expected.

    Example:
        >>> check_input(torch.zeros(1, 3, 3), torch.tensor([[0.0, 1.0, 2.0]]), (4, 4))
        Traceback (most recent call last):
            ...
        mgc_lightning.errors.MGCError: Expected int64 faces of shape (F, 3), got torch.float32 of (1, 3)
    """
    if verts_screen.ndim != 3 or verts_screen.shape[-1] != 3:
        raise MGCError(f"Expected screen vertices of shape (B, N, 3), got {tuple(verts_screen.shape)}")
    if not verts_screen.is_floating_point():
        raise MGCError(f"Expected floating-point screen vertices, got {verts_screen.dtype}")
    if faces.ndim != 2 or faces.shape[-1] != 3 or faces.dtype != torch.int64:
        raise MGCError(f"Expected int64 faces of shape (F, 3), got {faces.dtype} of {tuple(faces.shape)}")
    if faces.device != verts_screen.device:
        raise MGCError(f"Vertices and faces must be on one device, got {verts_screen.device} and {faces.device}")
    if min(image_size) < 1:
        raise MGCError(f"Expected an image of at least 1x1 px, got {tuple(image_size)}")
