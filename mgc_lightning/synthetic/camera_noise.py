"""What a camera and a file format do to a picture, from given numbers: the same numbers, the same pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn

from mgc_lightning.synthetic.jpeg import compress
from mgc_lightning.synthetic.settings import SyntheticSettings

TILE = 509
"""Side of the noise tile; a prime, so that offsets and sizes do not beat."""
CAMERA_NUMBERS = 15


def draw_camera(rng: np.random.Generator, settings: SyntheticSettings, views: int, linked: bool) -> np.ndarray:
    """Draw the camera's numbers.

    (V, CAMERA_NUMBERS): gains R, G, B, contrast, saturation, tone, blur, resolution, noise, quality, two offsets into
    the noise tile, 1 for black and white, and the motion's length in px at 224 px and its angle. Linked views share
    the colours (one moment, one camera model), give or take a percent.
    """
    strength = settings.camera_noise
    colours = np.stack([_draw_colours(rng) for _ in range(1 if linked else views)])
    colours = np.broadcast_to(colours, (views, 6)) + linked * rng.normal(0, 0.01, (views, 6))
    neutral = np.ones(6)
    numbers = np.zeros((views, CAMERA_NUMBERS))
    numbers[:, :6] = neutral + (colours - neutral) * min(strength, 1.0)
    some = rng.random((views, 3))
    # Blur in px at 224 px, halved resolution as a factor, noise as a standard deviation, JPEG quality (0 none).
    numbers[:, 6] = np.where(some[:, 0] < 0.5, rng.uniform(0.3, 1.8, views), 0) * strength
    numbers[:, 7] = np.where(some[:, 1] < 0.15 * min(strength, 1.0), rng.uniform(0.3, 0.7, views), 1)
    numbers[:, 8] = np.exp(rng.uniform(math.log(0.002), math.log(0.03), views)) * strength
    numbers[:, 9] = np.where(some[:, 2] < 0.15 * min(strength, 1.0), rng.uniform(25, 85, views), 0)
    numbers[:, 10:12] = rng.integers(0, TILE, (views, 2))
    numbers[:, 12] = rng.random(1 if linked else views) < settings.monochrome
    moved = rng.random(views) < settings.motion
    numbers[:, 13] = np.where(moved, rng.uniform(2, 14, views), 0)
    numbers[:, 14] = rng.uniform(0, math.pi, views)
    return numbers.astype(np.float32)


def _draw_colours(rng: np.random.Generator) -> np.ndarray:
    gains = 1 + rng.normal(0, 0.06) + rng.normal(0, 0.025, 3)
    return np.clip([*gains, *(1 + rng.normal(0, 0.1, 3))], 0.75, 1.3)


class CameraNoise(nn.Module):
    """Apply colour changes, blur, loss of resolution, noise and JPEG compression.

    Every disturbance is a function of the numbers of `draw_camera` alone: functional operations and a fixed
    tile of normal noise read at given offsets, never a generator, so that pixels depend neither on the batch nor on
    the device's random state.

    Example:
        >>> settings = SyntheticSettings(camera_noise=1.0)
        >>> numbers = torch.from_numpy(draw_camera(np.random.default_rng(0), settings, views=2, linked=True)).float()
        >>> CameraNoise()(torch.full((2, 3, 32, 32), 0.5), numbers).shape
        torch.Size([2, 3, 32, 32])
    """

    tile: Float[Tensor, "3 T T"]

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(509)
        self.register_buffer("tile", torch.randn(3, TILE, TILE, generator=generator), persistent=False)

    def forward(self, images: Float[Tensor, "B 3 H W"], numbers: Float[Tensor, "B 15"]) -> Float[Tensor, "B 3 H W"]:
        """Disturb images (B, 3, H, W) in [0, 1]; the result is in [0, 1]."""
        size = images.shape[-1]
        images = _apply_where(numbers[:, 13] > 0, _move, images, numbers[:, 13:] * images.new_tensor([size / 224, 1.0]))
        images = adjust_colours(images, numbers[:, :6])
        images = torch.lerp(images, images.mean(1, keepdim=True), numbers[:, 12, None, None, None])
        images = _apply_where(numbers[:, 6] > 0, _blur, images, numbers[:, 6] * size / 224)
        images = _apply_where(numbers[:, 7] < 1, _lose_resolution, images, numbers[:, 7])
        offsets = numbers[:, 10:12].long()
        images = images + numbers[:, 8, None, None, None] * self.noise(offsets, size)
        return _apply_where(numbers[:, 9] > 0, compress, images.clamp(0, 1), numbers[:, 9])

    def noise(self, offsets: Int[Tensor, "B 2"], size: int) -> Float[Tensor, "B 3 H W"]:
        """Read normal noise (B, 3, size, size) from the tile, which repeats without end."""
        axis = torch.arange(size, device=offsets.device)
        rows = (offsets[:, 0, None] + axis) % TILE
        columns = (offsets[:, 1, None] + axis) % TILE
        flat = rows[:, :, None] * TILE + columns[:, None]
        return self.tile.flatten(1)[:, flat].transpose(0, 1)


def adjust_colours(images: Float[Tensor, "B 3 H W"], numbers: Float[Tensor, "B 6"]) -> Float[Tensor, "B 3 H W"]:
    """Apply gains R, G, B, contrast about middle grey, saturation, and a tone curve.

    The curve x + (1 - g) x (1 - x) bends like a gamma of about g, at a fraction of its cost.

    Example:
        >>> brighter = torch.tensor([[2.0, 1.0, 1.0, 1.0, 1.0, 1.0]])  # twice the red, the rest as it is
        >>> adjust_colours(torch.full((1, 3, 1, 1), 0.25), brighter).flatten().tolist()
        [0.5, 0.25, 0.25]
    """
    gains, contrast, saturation = numbers[:, :3], numbers[:, 3], numbers[:, 4]
    tone = (1 - numbers[:, 5])[:, None, None, None]
    images = images * (gains * contrast[:, None])[..., None, None] + (0.5 - 0.5 * contrast)[:, None, None, None]
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, saturation[:, None, None, None])
    images = images.clamp(0, 1)
    return images * (1 + tone * (1 - images))


def _apply_where(
    chosen: Tensor, function: Callable[[Tensor, Tensor], Tensor], images: Tensor, strength: Tensor
) -> Tensor:
    """Apply a costly operation to the chosen images only."""
    index = chosen.nonzero().squeeze(1)
    if len(index) == 0:
        return images
    return images.index_copy(0, index, function(images[index], strength[index]))


def _blur(images: Tensor, sigma: Tensor) -> Tensor:
    radius = max(1, math.ceil(1.8 * images.shape[-1] / 224 * 2))
    return gaussian_blur2d(images, 2 * radius + 1, sigma[:, None].expand(-1, 2), border_type="replicate")


def _move(images: Tensor, motion: Tensor) -> Tensor:
    """Average what a camera saw that moved along a line while its shutter was open."""
    length, angle = motion.unbind(1)
    shift = torch.stack([angle.cos(), angle.sin()], 1) * (length / images.shape[-1])[:, None]
    identity = torch.eye(2, 3, device=images.device, dtype=images.dtype).expand(len(images), -1, -1)
    total = torch.zeros_like(images)
    places = torch.linspace(-1, 1, 7).tolist()
    for place in places:
        rows = torch.cat([identity[..., :2], place * shift[..., None]], 2)
        grid = F.affine_grid(rows, list(images.shape), align_corners=False)
        total += F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return total / len(places)


def _lose_resolution(images: Tensor, factor: Tensor) -> Tensor:
    """Shrink by about the factor and enlarge again; three factors are told apart."""
    size = images.shape[-1]
    result = images.clone()
    step = (factor * 10).round()
    for share in (3, 4, 5, 6, 7):
        index = (step == share).nonzero().squeeze(1)
        if len(index):
            small = F.interpolate(images[index], size=max(1, size * share // 10), mode="bilinear", antialias=True)
            result[index] = F.interpolate(small, size=size, mode="bilinear", align_corners=False)
    return result
