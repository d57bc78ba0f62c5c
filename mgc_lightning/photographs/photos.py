"""Photographs as tensors: orientation, grey, alpha, 16 bits, palettes; damaged files give one clear error."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.images import open_image

ImageLike = str | os.PathLike[str] | Image.Image | NDArray | Tensor
"""A file, a PIL image, an array (H, W[, C]) of uint8, uint16 or [0, 1], or a tensor (3, H, W) in [0, 1]."""

ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_photo(path: str | os.PathLike[str]) -> Float[Tensor, "3 H W"]:
    """Read a photograph as RGB in [0, 1], turned as its EXIF orientation says.

    Grey becomes RGB, transparency is laid on white, CMYK and palettes are converted; of 16-bit grey the brightest value
    tells whether it holds 16 bits, 12 or 8; of an animation the first frame is taken.

    Raises:
        MGCError: if the file is missing, damaged, no image, or larger than cameras make (`MGC_MAX_PIXELS`).

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> Image.new("L", (4, 2), 51).save(path)
        >>> photo = read_photo(path)
        >>> photo.shape, photo[:, 0, 0]
        (torch.Size([3, 2, 4]), tensor([0.2000, 0.2000, 0.2000]))
    """
    file = Path(path)
    if not file.is_file():
        raise MGCError(f"{file}: no such photograph")
    try:
        with open_image(file) as opened:
            return from_pil(opened)
    except MGCError as error:
        if isinstance(error.__cause__, UnidentifiedImageError) and file.suffix.lower() in (".heic", ".heif", ".avif"):
            hint = "convert it to JPEG or PNG first, or install pillow-heif and register its opener"
            raise MGCError(f"{error}; {hint}") from error
        raise


def from_pil(image: Image.Image) -> Float[Tensor, "3 H W"]:
    """Convert a PIL image of any mode to RGB (3, H, W) in [0, 1], orientation applied.

    Example:
        >>> half = Image.new("RGBA", (1, 1), (255, 0, 0, 51))
        >>> from_pil(half).flatten()  # a fifth of red on white
        tensor([1.0000, 0.8000, 0.8000])
    """
    image = _upright(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep_grey(np.asarray(image))
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        above = image.convert("RGBA")
        ground = Image.new("RGBA", above.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, above)
    return from_array(np.asarray(image.convert("RGB")))


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says, of whatever type it is; damaged EXIF says nothing.

    Pillow's own function writes the rest of EXIF anew, and fails on the first tag of a wrong type.
    """
    try:
        given = image.getexif().get(ORIENTATION)
        if isinstance(given, tuple):
            given = given[0]
        text = given.strip(b"\0 ") if isinstance(given, bytes) else str(given).strip("\0 ").encode()
        # One byte may be the number itself, or its digit.
        number = text[0] if len(text) == 1 and text[0] < 9 else int(float(text))
    except Exception:  # Pillow raises anything on foreign EXIF
        return image
    return image if number not in _TURNS else image.transpose(_TURNS[number])


def _from_deep_grey(values: NDArray) -> Float[Tensor, "3 H W"]:
    """Bring grey of 16 or 32 bits, or of floats, to [0, 1].

    Cameras of 12 bits, and programs of 8, keep their values as they are in files of 16: white is that of the fewest
    bits that hold the brightest value. A photograph of more bits would be darker than a sixteenth of white to be
    mistaken.
    """
    array = values.astype(np.float32)
    top = float(array.max(initial=0.0))
    if top <= 1.0 and values.dtype.kind == "f":
        white = 1.0
    else:
        white = next((float(most) for most in (255, 4095) if top <= most), 65535.0)
    grey = torch.from_numpy(array / white).clamp(0, 1)
    return grey.expand(3, -1, -1).contiguous()


def from_array(array: NDArray) -> Float[Tensor, "3 H W"]:
    """Convert an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16 or floats in [0, 1].

    Raises:
        MGCError: for other shapes or types, and for floats outside [0, 1].

    Example:
        >>> from_array(np.full((2, 3), 255, np.uint8)).shape, from_array(np.full((2, 3, 3), 0.25)).max().item()
        (torch.Size([3, 2, 3]), 0.25)
    """
    values = np.asarray(array)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise MGCError(f"Expected an image (H, W), (H, W, 3) or (H, W, 4), got an array {array.shape}")
    white = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0, "bool": 1.0}
    if values.dtype.name not in white:
        raise MGCError(f"Expected an image of uint8, uint16 or floats in [0, 1], got {values.dtype}")
    # In place: photographs of many pixels are the largest arrays here.
    tensor = torch.from_numpy(np.ascontiguousarray(values.astype(np.float32))).div_(white[values.dtype.name])
    if values.dtype.kind == "f" and not bool(((tensor >= 0) & (tensor <= 1)).all()):
        raise MGCError("Expected an image of floats in [0, 1], found values outside or not finite")
    if tensor.shape[2] == 4:
        tensor = tensor[..., :3] * tensor[..., 3:] + (1 - tensor[..., 3:])
    return tensor.permute(2, 0, 1).expand(3, -1, -1).contiguous()


def as_image(image: ImageLike) -> Float[Tensor, "3 H W"]:
    """Turn whatever an image is given as into RGB (3, H, W), float32 in [0, 1].

    Raises:
        MGCError: if it cannot be read, or has another shape or type.

    Example:
        >>> as_image(np.zeros((4, 6, 3), np.uint8)).shape
        torch.Size([3, 4, 6])
    """
    if isinstance(image, Tensor):
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise MGCError(f"Expected an image tensor (3, H, W), got {tuple(image.shape)}")
        return from_array(image.detach().cpu().permute(1, 2, 0).numpy())
    if isinstance(image, Image.Image):
        return from_pil(image)
    if isinstance(image, np.ndarray):
        return from_array(image)
    return read_photo(image)
