"""The official warp: pixel (row, column) lies at (u, v) = (column, row), half a pixel off its renderer."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.geometry.view_synthesis import sample_bilinear, unproject_depth

Z_EPS = 1e-10


@dataclass
class OfficialWarp:
    """Hold where the target's integer pixels lie in the source.

    Attributes:
        uv: (B, H, W, 2) px in the library's convention, where the first pixel is (.5, .5).
        inside: (B, 1, H, W) 1 where all four neighbours lie in the source image, else 0.
    """

    uv: Float[Tensor, "B H W 2"]
    inside: Float[Tensor, "B 1 H W"]

    def sample(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Sample bilinearly; 0, without gradient, where a neighbour is outside."""
        return sample_bilinear(image, self.uv) * self.inside


def inside_image(uv: Float[Tensor, "B h w 2"], height: int, width: int) -> Float[Tensor, "B 1 h w"]:
    """Tell where x lies in [0, width - 1) and y in [0, height - 1) of integer coordinates."""
    last = uv.new_tensor([width, height]) - 0.5
    return ((uv >= 0.5) & (uv < last)).all(-1)[:, None].to(uv.dtype)


def official_warp(
    depth_target: Float[Tensor, "B 1 H W"],
    T_source_target: Float[Tensor, "B 4 4"],
    K: Float[Tensor, "B 3 3"],
) -> OfficialWarp:
    """Project the target's pixels into the source.

    A camera whose principal point is shifted by half a pixel turns the library's pixel centres into the
    official integers. The background, depth 0, is warped too: it lands where the target's camera centre projects.
    """
    height, width = depth_target.shape[-2:]
    shifted = K.clone()
    shifted[:, :2, 2] += 0.5
    points = transform_points(T_source_target, unproject_depth(depth_target, shifted).flatten(1, 2))
    rays = points[..., :2] / (points[..., 2:] + Z_EPS)
    uv = rays @ shifted[:, :2, :2].mT + shifted[:, None, :2, 2]
    uv = uv.unflatten(1, (height, width))
    return OfficialWarp(uv, inside_image(uv, height, width))
