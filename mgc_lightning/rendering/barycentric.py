"""Differentiable interpolation over visible triangles: one code for every rasterizer.

The arrays here hold only the P covered pixels, component first ((3, P) rather than (P, 3)): plain vector
maths and one-dimensional gathers and scatters, several times faster on a CPU than rows of three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass
class CoveredPixels:
    """Hold the covered pixels of a batch of images.

    Attributes:
        shape: B, H, W.
        index: (P,) into the flattened (B, H, W).
        view: (P,) index of the image.
        centre: (2, P) u, v in px.
        corners: (3, P) the winning triangle's vertices, into the flattened (B, N).

    Example:
        >>> winners, faces = torch.tensor([[[-1, 0], [-1, 1]]]), torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> pixels = CoveredPixels.of(winners, faces, vertex_count=4, dtype=torch.float32)
        >>> pixels.index.tolist(), pixels.centre.T.tolist(), pixels.corners.T.tolist()
        ([1, 3], [[1.5, 0.5], [1.5, 1.5]], [[0, 1, 2], [1, 2, 3]])
    """

    shape: tuple[int, int, int]
    index: Int[Tensor, " P"]
    view: Int[Tensor, " P"]
    centre: Float[Tensor, "2 P"]
    corners: Int[Tensor, "3 P"]

    @classmethod
    def of(
        cls,
        pix_to_face: Int[Tensor, "B H W"],
        faces: Int[Tensor, "F 3"],
        vertex_count: int,
        dtype: torch.dtype,
    ) -> CoveredPixels:
        """Collect the pixels with a triangle."""
        batch, height, width = pix_to_face.shape
        view, row, column = (pix_to_face >= 0).nonzero(as_tuple=True)
        index = (view * height + row) * width + column
        winner = pix_to_face.reshape(-1).index_select(0, index)
        corners = torch.stack([corner.index_select(0, winner) for corner in faces.t().contiguous()])
        corners += view * vertex_count
        centre = torch.stack([column, row]).to(dtype) + 0.5
        return cls((batch, height, width), index, view, centre, corners)

    def barycentrics(self, verts_screen: Float[Tensor, "B N 3"]) -> Float[Tensor, "3 P"]:
        """Give perspective-correct coordinates of the pixel centres, differentiable in u, v and z."""
        return _Barycentrics.apply(verts_screen, self.corners, self.centre)

    def interpolate(self, attributes: Float[Tensor, "B N C"], bary: Float[Tensor, "3 P"]) -> Float[Tensor, "C P"]:
        """Interpolate vertex attributes at the pixels, differentiable in both."""
        return _Interpolation.apply(attributes, bary, self.corners)

    def gather(self, images: Float[Tensor, "B H W C"]) -> Float[Tensor, "C P"]:
        """Read images at the pixels."""
        return torch.stack([plane.reshape(-1).index_select(0, self.index) for plane in images.unbind(-1)])

    def scatter(self, values: Float[Tensor, "C P"]) -> Float[Tensor, "C B H W"]:
        """Write values into planes that are zero elsewhere."""
        batch, height, width = self.shape
        return _Scatter.apply(values, self.index, batch * height * width).unflatten(1, self.shape)

    def images(self, values: Float[Tensor, "C P"]) -> Float[Tensor, "B C H W"]:
        """Write values into images that are zero elsewhere."""
        return self.scatter(values).transpose(0, 1).contiguous()


class _Barycentrics(torch.autograd.Function):
    """b_i = (e_i / z_i) / sum_j (e_j / z_j), where e_i is twice the area that pixel and edge i span.

    The derivative is written out because autograd keeps, fills and adds up some forty arrays for it.
    """

    @staticmethod
    def forward(ctx: Any, verts_screen: Tensor, corners: Tensor, centre: Tensor) -> Tensor:
        planes = verts_screen.reshape(-1, 3).t().contiguous()
        x, y, z = (plane.index_select(0, corners.reshape(-1)).view(3, -1) for plane in planes)
        x -= centre[0]
        y -= centre[1]
        (x0, x1, x2), (y0, y1, y2) = x, y
        areas = torch.stack([x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1])
        sign = areas.sum(0).sign()
        # In slivers the areas are rounding noise of any sign; the offset, below the precision of ordinary
        # triangles, keeps the result within [0, 1] and its sum at 1, and the gradient finite.
        weights = (areas * sign).clamp_(min=0).add_(torch.finfo(z.dtype).eps / 4) / z
        inverse_total = weights.sum(0).reciprocal_()
        bary = weights.mul_(inverse_total)
        ctx.save_for_backward(corners, x, y, z, sign, inverse_total, bary)
        ctx.shape = verts_screen.shape
        return bary

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        corners, x, y, z, sign, inverse_total, bary = ctx.saved_tensors
        of_areas = (grad - (grad * bary).sum(0)).mul_(inverse_total).div_(z)
        of_z = (of_areas * bary).div_(inverse_total).neg_()
        (g0, g1, g2), (x0, x1, x2), (y0, y1, y2) = of_areas.mul_(sign), x, y
        of_x = torch.stack([g2 * y1 - g1 * y2, g0 * y2 - g2 * y0, g1 * y0 - g0 * y1])
        of_y = torch.stack([g1 * x2 - g2 * x1, g2 * x0 - g0 * x2, g0 * x1 - g1 * x0])
        total = z.new_zeros(3, ctx.shape[0] * ctx.shape[1])
        for plane, of_plane in zip(total, (of_x, of_y, of_z), strict=True):
            plane.scatter_add_(0, corners.reshape(-1), of_plane.reshape(-1))
        return total.t().reshape(ctx.shape), None, None


class _Interpolation(torch.autograd.Function):
    """Sum of b_i a_i over the corners, without keeping the gathered attributes."""

    @staticmethod
    def forward(ctx: Any, attributes: Tensor, bary: Tensor, corners: Tensor) -> Tensor:
        planes = attributes.reshape(-1, attributes.shape[-1]).t().contiguous()
        values = bary.new_zeros(len(planes), bary.shape[1])
        for value, plane in zip(values, planes, strict=True):
            for weight, corner in zip(bary, corners, strict=True):
                value.addcmul_(plane.index_select(0, corner), weight)
        ctx.save_for_backward(planes, bary, corners)
        ctx.shape = attributes.shape
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        planes, bary, corners = ctx.saved_tensors
        index = corners.reshape(-1)
        of_attributes = of_bary = None
        if ctx.needs_input_grad[0]:
            total = torch.zeros_like(planes)
            for plane, of_value in zip(total, grad, strict=True):
                plane.scatter_add_(0, index, (bary * of_value).reshape(-1))
            of_attributes = total.t().reshape(ctx.shape)
        if ctx.needs_input_grad[1]:
            of_bary = torch.zeros_like(bary)
            for plane, of_value in zip(planes, grad, strict=True):
                of_bary.addcmul_(plane.index_select(0, index).view(3, -1), of_value)
        return of_attributes, of_bary, None


class _Scatter(torch.autograd.Function):
    """Planes of zeros but for values; one plane at a time, as an index for all of them costs more than the rest."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, size: int) -> Tensor:
        planes = values.new_zeros(len(values), size)
        for plane, value in zip(planes, values, strict=True):
            plane.scatter_(0, index, value)
        ctx.save_for_backward(index)
        return planes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return torch.stack([plane.index_select(0, index) for plane in grad]), None, None
