"""A photograph of a source as a tensor, whether it is a file or a frame of a video."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.photographs.sources.photo import Photo
from mgc_lightning.photographs.sources.videos import read_frame


def read_source_photo(photo: Photo) -> Float[Tensor, "3 H W"]:
    """Read a photograph of a source, RGB in [0, 1].

    Raises:
        MGCError: if it cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> path = Path(tempfile.mkdtemp()) / "1.png"
        >>> Image.new("RGB", (4, 2), "red").save(path)
        >>> read_source_photo(Photo("1.png", path))[:, 0, 0]
        tensor([1., 0., 0.])
    """
    return read_frame(photo.path, photo.frame) if photo.frame >= 0 else read_photo(photo.path)
