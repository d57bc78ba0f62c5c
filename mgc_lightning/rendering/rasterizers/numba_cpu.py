"""The CPU rasterizer: one Numba kernel a sample, samples on threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.rendering.rasterizers.base import MIN_DOUBLE_AREA, NEAR, check_input


class NumbaRasterizer:
    """Rasterize on the CPU (see `Rasterizer`). The first call compiles the kernel and caches it on disk.

    Example:
        >>> near = torch.tensor([[0.0, 0, 500], [8, 0, 500], [0, 8, 500]])
        >>> verts = torch.cat([near + torch.tensor([0.0, 0, 100]), near])[None]  # two triangles, the second in front
        >>> pix_to_face, depth = NumbaRasterizer()(verts, torch.tensor([[0, 1, 2], [3, 4, 5]]), (4, 4))
        >>> pix_to_face[0, 0, 0].item(), round(depth[0, 0, 0].item())
        (1, 500)
    """

    name = "numba"

    @torch.no_grad()
    def __call__(
        self, verts_screen: Float[Tensor, "B N 3"], faces: Int[Tensor, "F 3"], image_size: tuple[int, int]
    ) -> tuple[Int[Tensor, "B H W"], Float[Tensor, "B H W"]]:
        """Rasterize a batch (see `Rasterizer`).

        Raises:
            MGCError: for tensors that are not on the CPU, or of a wrong shape.
        """
        if verts_screen.device.type != "cpu":
            raise MGCError(
                f"The rasterizer `numba` works on CPU tensors, got {verts_screen.device}; "
                "choose rasterizer `triton`, `pytorch3d` or `auto` there"
            )
        check_input(verts_screen, faces, image_size)
        height, width = image_size
        batch, count = verts_screen.shape[:2]
        if faces.numel() and (int(faces.min()) < 0 or int(faces.max()) >= count):
            raise MGCError(f"Faces index vertices 0..{count - 1}, got {int(faces.min())}..{int(faces.max())}")
        pix_to_face = torch.empty(batch, height, width, dtype=torch.int64)
        zbuf = torch.empty(batch, height, width, dtype=torch.float32)
        samples = verts_screen.detach().to(torch.float32).contiguous().numpy()
        triangles = faces.contiguous().numpy()
        _each(lambda b: _rasterize_sample(samples[b], triangles, pix_to_face[b].numpy(), zbuf[b].numpy()), batch)
        return pix_to_face, zbuf


def _each(work: Callable[[int], None], count: int) -> None:
    """Run `work(0) ... work(count - 1)` on as many threads as torch uses.

    Numba's own `prange` is not used: its OpenMP pool kills a process forked after the first call (data loader
    workers), and its other pool dies when two Python threads meet in it.
    """
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        for index in range(count):
            work(index)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(count)):
            pass


# No fastmath: an edge shared by two triangles must give exactly opposite signs in both, or pixels fall
# through. float64 costs nothing here, as the time goes to memory and branches.
@numba.njit(cache=True, nogil=True)
def _rasterize_sample(verts, faces, winner, inverse_depth):  # type: ignore[no-untyped-def]
    height, width = winner.shape
    winner[:] = -1
    inverse_depth[:] = 0.0
    for face in range(faces.shape[0]):
        # Unsigned indices, here and below, spare the test for negative ones: half of the kernel's time.
        i0, i1, i2 = np.uint64(faces[face, 0]), np.uint64(faces[face, 1]), np.uint64(faces[face, 2])
        z0, z1, z2 = np.float64(verts[i0, 2]), np.float64(verts[i1, 2]), np.float64(verts[i2, 2])
        if not (min(z0, z1, z2) > NEAR):
            continue
        u0, u1, u2 = np.float64(verts[i0, 0]), np.float64(verts[i1, 0]), np.float64(verts[i2, 0])
        v0, v1, v2 = np.float64(verts[i0, 1]), np.float64(verts[i1, 1]), np.float64(verts[i2, 1])

        # Columns and rows whose centres lie in the bounding box; most small triangles hold none.
        first_column = max(np.ceil(min(u0, u1, u2) - 0.5), 0.0)
        last_column = min(np.floor(max(u0, u1, u2) - 0.5), width - 1.0)
        if not (first_column <= last_column):
            continue
        first_row = max(np.ceil(min(v0, v1, v2) - 0.5), 0.0)
        last_row = min(np.floor(max(v0, v1, v2) - 0.5), height - 1.0)
        if not (first_row <= last_row):
            continue
        area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
        if not (np.abs(area) > MIN_DOUBLE_AREA and np.isfinite(area) and np.isfinite(z0 + z1 + z2)):
            continue

        # Edge functions e = a x + b y + c, positive inside. Their order of operations makes them exactly
        # opposite in the two triangles of an edge.
        sign = 1.0 if area > 0 else -1.0
        a0, b0, c0 = (v1 - v2) * sign, (u2 - u1) * sign, (u1 * v2 - u2 * v1) * sign
        a1, b1, c1 = (v2 - v0) * sign, (u0 - u2) * sign, (u2 * v0 - u0 * v2) * sign
        a2, b2, c2 = (v0 - v1) * sign, (u1 - u0) * sign, (u0 * v1 - u1 * v0) * sign
        # 1/z = e0 w0 + e1 w1 + e2 w2, as the edge functions sum to the doubled area.
        w0, w1, w2 = sign / (area * z0), sign / (area * z1), sign / (area * z2)
        for row in range(np.uint64(first_row), np.uint64(last_row + 1.0)):
            y = row + 0.5
            d0, d1, d2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
            for column in range(np.uint64(first_column), np.uint64(last_column + 1.0)):
                x = column + 0.5
                e0, e1, e2 = a0 * x + d0, a1 * x + d1, a2 * x + d2
                w = np.float32(e0 * w0 + e1 * w1 + e2 * w2)
                if (min(e0, e1, e2) >= 0) & (w >= inverse_depth[row, column]):
                    inverse_depth[row, column] = w
                    winner[row, column] = face
    for row in range(height):
        for column in range(width):
            if winner[row, column] >= 0:
                inverse_depth[row, column] = np.float32(1.0) / inverse_depth[row, column]
