"""The CUDA rasterizer: one Triton kernel, compiled at its first call, no toolkit needed."""

from __future__ import annotations

import os

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.rendering.rasterizers.base import MIN_DOUBLE_AREA, NEAR, check_input

TILE_ROWS, TILE_COLUMNS = 4, 8
"""Pixels that one warp tests at a time; most triangles of a face need one such tile."""


class TritonRasterizer:
    """Rasterize on CUDA (see `Rasterizer`); on the CPU too, slowly, in Triton's interpreter (TRITON_INTERPRET=1).

    Unlike the CPU kernel it does not look for vertex indices out of range, which would wait for the device; such
    triangles are dropped.

    Args:
        device_type: `cuda`, or `cpu` in the interpreter.

    Raises:
        MGCError: without a CUDA device.
        MissingExtraError: if triton does not import; CUDA builds of torch bring it.
    """

    name = "triton"

    def __init__(self, device_type: str = "cuda") -> None:
        self._interpreted = os.environ.get("TRITON_INTERPRET", "0") == "1"
        if not self._interpreted:
            if device_type != "cuda":
                raise MGCError(
                    f"The rasterizer `triton` needs CUDA tensors, got `{device_type}`; choose `numba` or `auto` there"
                )
            if not torch.cuda.is_available():
                raise MGCError(
                    "The rasterizer `triton` needs a CUDA device and torch finds none; choose `numba` or `auto` "
                    "on a CPU, or install a CUDA build of torch"
                )
        try:
            from mgc_lightning.rendering.rasterizers.triton_kernel import rasterize_kernel
        except ImportError as error:
            raise MissingExtraError(
                f"The rasterizer `triton` could not import triton ({error}); install it with: pip install triton"
            ) from error
        self._kernel = rasterize_kernel

    @torch.no_grad()
    def __call__(
        self, verts_screen: Float[Tensor, "B N 3"], faces: Int[Tensor, "F 3"], image_size: tuple[int, int]
    ) -> tuple[Int[Tensor, "B H W"], Float[Tensor, "B H W"]]:
        """Rasterize a batch (see `Rasterizer`).

        Raises:
            MGCError: for CPU tensors, or tensors of a wrong shape.
        """
        if verts_screen.device.type != "cuda" and not self._interpreted:
            raise MGCError(f"The rasterizer `triton` works on CUDA tensors, got {verts_screen.device}")
        check_input(verts_screen, faces, image_size)
        height, width = image_size
        batch, vertex_count = verts_screen.shape[:2]
        packed = torch.zeros(batch, height, width, dtype=torch.int64, device=verts_screen.device)
        if batch and len(faces):
            with torch.cuda.device_of(verts_screen):
                self._kernel[(len(faces), batch)](
                    verts_screen.detach().float().contiguous(),
                    faces.contiguous(),
                    packed,
                    vertex_count,
                    height,
                    width,
                    NEAR=NEAR,
                    MIN_DOUBLE_AREA=MIN_DOUBLE_AREA,
                    TILE_ROWS=TILE_ROWS,
                    TILE_COLUMNS=TILE_COLUMNS,
                    num_warps=1,
                    enable_fp_fusion=False,
                )
        return unpack(packed)


def unpack(packed: Int[Tensor, "B H W"]) -> tuple[Int[Tensor, "B H W"], Float[Tensor, "B H W"]]:
    """Split words of (bits of float32 1/z, face + 1) into faces, -1 where zero, and z, 0 there.

    Example:
        >>> depth = torch.tensor([[[500.0]]])
        >>> word = (1 / depth).view(torch.int32).long() << 32 | 7 + 1  # face 7 at 500 mm
        >>> unpack(torch.cat([word, torch.zeros_like(word)], dim=2))  # and a pixel of the background
        (tensor([[[ 7, -1]]]), tensor([[[500.0000,   0.0000]]]))
    """
    pix_to_face = (packed & 0xFFFFFFFF) - 1
    inverse_depth = (packed >> 32).to(torch.int32).view(torch.float32)
    covered = pix_to_face >= 0
    return pix_to_face, torch.where(covered, 1.0 / torch.where(covered, inverse_depth, 1.0), 0.0)
