"""Photographs that a page was given: checked, shrunk, and removed as soon as they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.images import open_image
from mgc_lightning.photographs.photos import read_photo

MOST_FILES = 8
"""Photographs at a time."""
MOST_BYTES = 20 * 2**20
"""Of a photograph."""
MOST_PIXELS = 50_000_000
"""Of a photograph."""
SIDE = 1600
"""Longer side in px that photographs are shrunk to: all that is kept of one while its face is shown."""


def take_uploads(paths: Sequence[str | Path]) -> list[tuple[str, Float[Tensor, "3 H W"] | MGCError]]:
    """Read photographs and remove their files, whatever becomes of them.

    Args:
        paths: temporary files.

    Returns:
        The name of each, and the photograph or why it cannot be used.

    Raises:
        MGCError: if there are more than eight.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> path = Path(tempfile.mkdtemp()) / "anna.png"
        >>> Image.new("RGB", (3200, 1600)).save(path)
        >>> ((name, photo),) = take_uploads([path])
        >>> name, photo.shape, path.exists()
        ('anna.png', torch.Size([3, 800, 1600]), False)
    """
    files = [Path(path) for path in paths]
    try:
        if len(files) > MOST_FILES:
            raise MGCError(f"Up to {MOST_FILES} photographs at a time; got {len(files)}")
        return [(file.name, _read(file)) for file in files]
    finally:
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()
            with contextlib.suppress(OSError):
                file.parent.rmdir()  # each upload has a folder of its own


def _read(file: Path) -> Float[Tensor, "3 H W"] | MGCError:
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise MGCError(f"{size / 2**20:.0f} MiB; up to {MOST_BYTES >> 20} MiB are taken")
        with open_image(file) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise MGCError(f"{opened.width} x {opened.height} px; up to {MOST_PIXELS // 10**6} million are taken")
        return _shrunk(read_photo(file))
    except (MGCError, OSError) as error:
        # Nobody knows the temporary folder.
        return MGCError(str(error).replace(str(file), file.name))


def _shrunk(image: Float[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
    scale = SIDE / max(image.shape[1:])
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[1:]]
    return torch.nn.functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)
