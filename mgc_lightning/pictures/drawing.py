"""Pictures for people: overlays, landmarks, heat maps, labelled sheets; all uint8 arrays (H, W, 3)."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from numpy.typing import NDArray
from PIL import Image, ImageFont
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path

Picture = UInt8[NDArray, "H W 3"]
"""What every function here takes and gives."""


def to_picture(image: Float[Tensor, "_ H W"] | Real[NDArray, "H W *channels"]) -> Picture:
    """Turn an image into a picture.

    Args:
        image: a tensor (3 or 1, H, W) in [0, 1], or an array (H, W), (H, W, 1) or (H, W, 3), in [0, 1] or
            uint8.

    Raises:
        MGCError: for other shapes.

    Example:
        >>> import torch
        >>> picture = to_picture(torch.full((1, 2, 2), 0.5))
        >>> picture.shape, picture[0, 0].tolist()
        ((2, 2, 3), [128, 128, 128])
    """
    if isinstance(image, Tensor):
        rounded = image.detach().float().nan_to_num().clamp_(0, 1).mul_(255).round_()  # in place: it may be large
        array = rounded.to(torch.uint8).cpu().numpy()
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    else:
        array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise MGCError(f"Expected one image of shape (3, H, W) or (H, W, 3), got {tuple(np.shape(image))}")
    if array.dtype != np.uint8:
        array = np.round(np.nan_to_num(array).clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def overlay(
    image: Tensor | NDArray,
    render: Tensor | NDArray,
    alpha: Float[Tensor, "1 H W"] | Float[NDArray, "H W"],
    opacity: float = 1.0,
) -> Picture:
    """Lay a render over an image.

    Args:
        image: as `to_picture` takes it.
        render: of the same size.
        alpha: coverage in [0, 1], (1, H, W) or (H, W); a mask will do, an antialiased one looks better.
        opacity: of the render.

    Example:
        >>> white, black = np.ones((1, 2, 3)), np.zeros((1, 2, 3))
        >>> overlay(white, black, np.array([[0.0, 1.0]]), opacity=0.5)[0].tolist()
        [[255, 255, 255], [128, 128, 128]]
    """
    below, above = to_picture(image).astype(np.float32), to_picture(render).astype(np.float32)
    cover = alpha.detach().float().cpu().numpy() if isinstance(alpha, Tensor) else np.asarray(alpha, np.float32)
    if below.shape != above.shape or cover.size != below.shape[0] * below.shape[1]:
        raise MGCError(f"Cannot lay {above.shape} with alpha {cover.shape} over {below.shape}: sizes differ")
    weight = cover.reshape(*below.shape[:2], 1).clip(0, 1) * opacity
    return np.round(below + weight * (above - below)).astype(np.uint8)


def upscale(image: Tensor | NDArray, minimum: int = 256) -> Picture:
    """Enlarge a picture by a whole factor until its shorter side has at least `minimum` px; smooth.

    Example:
        >>> upscale(np.zeros((100, 150, 3))).shape
        (300, 450, 3)
    """
    picture = to_picture(image)
    factor = max(1, math.ceil(minimum / min(picture.shape[:2])))
    if factor == 1:
        return picture
    size = (picture.shape[1] * factor, picture.shape[0] * factor)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def fit_into(image: Tensor | NDArray, width: int, height: int) -> Picture:
    """Scale a picture to fit into a box, on a dark ground.

    Example:
        >>> fit_into(np.ones((100, 50, 3)), width=80, height=80).shape
        (80, 80, 3)
    """
    picture = Image.fromarray(to_picture(image))
    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Area averaging when shrinking, bicubic when enlarging.
    method = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS
    ground = Image.new("RGB", (width, height), BACKGROUND)
    ground.paste(picture.resize(size, method), ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.asarray(ground)


PNG_LEVEL = 2
JPEG_QUALITY = 92


def save_png(path: str | os.PathLike[str], image: Tensor | NDArray) -> Path:
    """Write a picture as PNG, whole or not at all.

    It is packed fast: a fifth larger than by Pillow's level, in a quarter of the time, which is most of what a
    photograph's pictures take.

    Example:
        >>> import tempfile, torch
        >>> path = save_png(f"{tempfile.mkdtemp()}/red.png", torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1))
        >>> Image.open(path).getpixel((0, 0))
        (255, 0, 0)
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        Image.fromarray(to_picture(image)).save(temporary, format="PNG", compress_level=PNG_LEVEL)
    return target


def save_jpeg(path: str | os.PathLike[str], image: Tensor | NDArray) -> Path:
    """Write a picture as JPEG, whole or not at all.

    Example:
        >>> import tempfile, torch
        >>> path = save_jpeg(f"{tempfile.mkdtemp()}/grey.jpg", torch.full((3, 8, 8), 0.5))
        >>> Image.open(path).format, Image.open(path).getpixel((0, 0))
        ('JPEG', (128, 128, 128))
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        Image.fromarray(to_picture(image)).save(temporary, format="JPEG", quality=JPEG_QUALITY)
    return target


BACKGROUND = (24, 24, 28)
INK = (230, 230, 230)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
