"""Pictures inside a page."""

from __future__ import annotations

import base64
import io

from PIL import Image

from mgc_lightning.pictures.drawing import JPEG_QUALITY, Picture


def data_uri(picture: Picture, longest: int | None = None) -> str:
    """Give a picture as JPEG in an address that holds it, for a page that stands alone.

    Args:
        picture: what.
        longest: side in px that it is shrunk to, if it is larger.

    Example:
        >>> import numpy as np
        >>> data_uri(np.zeros((4, 4, 3), np.uint8))[:23]
        'data:image/jpeg;base64,'
    """
    image = Image.fromarray(picture)
    if longest:
        image.thumbnail((longest, longest))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
