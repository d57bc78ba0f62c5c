"""How files of synthetic benchmark sets are written."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path

GROUND_TRUTH, MEAN_FACE = "ground_truth", "mean_face"
"""Folders of predictions that come with a set."""


def require_new(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        MGCError: if it does, or is a file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> require_new(folder / "new"), require_new(folder)  # both will do
        (None, None)
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MGCError(f"{folder}: not empty; give a new or an empty folder")


def write_photo(path: Path, image: Float[Tensor, "3 H W"]) -> None:
    """Write an RGB image in [0, 1] as a JPEG of quality 95.

    Example:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "1.jpg"
        >>> write_photo(path, torch.full((3, 4, 8), 0.5))
        >>> Image.open(path).size
        (8, 4)
    """
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, quality=95)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
