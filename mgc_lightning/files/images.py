"""Foreign images: one door, which knows how many pixels a picture may have before they are unpacked."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from PIL import Image, UnidentifiedImageError

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reason

MOST_PIXELS = 64_000_000
"""What cameras make: 61 million in 35 mm, 50 in telephones. As many take less than two gigabytes here."""
VARIABLE = "MGC_MAX_PIXELS"


def most_pixels() -> int:
    """Give the pixels that an image may have: `MGC_MAX_PIXELS`, or what cameras make.

    Raises:
        MGCError: if the variable is no count.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, MGC_MAX_PIXELS="200_000_000"):
        ...     most_pixels()
        200000000
    """
    given = os.environ.get(VARIABLE, "")
    try:
        most = int(given) if given else MOST_PIXELS
    except ValueError:
        most = 0
    if most < 1:
        raise MGCError(f"The environment variable {VARIABLE} must be a whole number of at least 1; got {given!r}")
    return most


@contextlib.contextmanager
def open_image(file: str | Path | IO[bytes] | io.BufferedIOBase, name: object = None) -> Iterator[Image.Image]:
    """Open an image and unpack it, for a block; what the block's conversions raise is told, too.

    Args:
        file: path or stream.
        name: for the message; the path if not given.

    Raises:
        MGCError: if it is no image, damaged, or has more pixels than `most_pixels`.

    Example:
        >>> import io
        >>> stream = io.BytesIO()
        >>> Image.new("L", (4, 2)).save(stream, format="PNG")
        >>> with open_image(stream, "grey.png") as image:
        ...     image.size
        (4, 2)
    """
    source = file if name is None else name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is checked here
            given: Any = file
            with Image.open(given) as image:
                check_size(image.size, source)
                image.load()
                yield image
    except MGCError:
        raise
    except UnidentifiedImageError as error:
        raise MGCError(f"{source}: not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise MGCError(f"{source}: too many pixels; scale it down first, or raise {VARIABLE}") from error
    except Exception as error:  # decoders raise anything on foreign bytes
        raise MGCError(f"{source}: the image is damaged ({reason(error)})") from error


def check_size(size: tuple[int, int], source: object) -> None:
    """Refuse an image of more pixels than `most_pixels`.

    Raises:
        MGCError: with the size and the remedy.

    Example:
        >>> check_size((9400, 9400), "bomb.png")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: bomb.png: 9400 x 9400 px are more than the 64 million that an image may have; ...
    """
    width, height = size
    most = most_pixels()
    if width * height > most:
        raise MGCError(
            f"{source}: {width} x {height} px are more than the {most / 1e6:.3g} million that an image may have; scale "
            f"it down first, or set {VARIABLE}"
        )
