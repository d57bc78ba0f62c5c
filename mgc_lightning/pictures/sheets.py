"""Labelled pictures, and pictures in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.pictures.drawing import BACKGROUND, INK, Picture, _font, fit_into, to_picture


def label(image: Tensor | NDArray, text: str, size: int | None = None) -> Picture:
    """Write a line of text on a strip above a picture; it is shortened where it does not fit.

    Example:
        >>> import torch
        >>> label(torch.zeros(3, 64, 100), "anna").shape  # a strip above 64 px
        (86, 100, 3)
    """
    picture = to_picture(image)
    height = size or max(14, picture.shape[1] // 14)
    strip = _text_strip(text, picture.shape[1], round(height * 1.6), height)
    return np.concatenate([strip, picture])


def sheet(
    rows: Sequence[Sequence[Tensor | NDArray | None]],
    columns: Sequence[str] = (),
    names: Sequence[str] = (),
    tile: int = 224,
    gap: int = 4,
) -> Picture:
    """Arrange pictures in a grid with headings above the columns and names above each row's first picture.

    Args:
        rows: pictures by row; rows may differ in length, None leaves a place empty.
        columns: headings.
        names: one a row.
        tile: side of a place in px; pictures are scaled to fit it.
        gap: px between places.

    Raises:
        MGCError: if there is no picture.

    Example:
        >>> face = np.zeros((96, 96, 3))
        >>> picture = sheet([[face, face], [face, None]], columns=["input", "overlay"], names=["anna", "ben"], tile=96)
        >>> picture.shape[1] == 2 * 96 + 3 * 4, picture.shape[0] > 2 * 96
        (True, True)
    """
    count = max((len(row) for row in rows), default=0)
    if not count:
        raise MGCError("A sheet needs at least one picture")
    text = max(11, tile // 15)
    heading = round(text * 1.8) if columns else 0
    naming = round(text * 1.8) if names else 0
    width, height = count * (tile + gap) + gap, heading + len(rows) * (tile + naming + gap) + gap
    canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
    for j, title in enumerate(columns[:count]):
        left = gap + j * (tile + gap)
        canvas[:heading, left : left + tile] = _text_strip(title, tile, heading, text)
    for i, row in enumerate(rows):
        top = heading + gap + i * (tile + naming + gap)
        if i < len(names):
            canvas[top : top + naming, gap:] = _text_strip(names[i], width - gap, naming, text, "left")
        for j, picture in enumerate(row):
            if picture is not None:
                left = gap + j * (tile + gap)
                place = (slice(top + naming, top + naming + tile), slice(left, left + tile))
                canvas[place] = fit_into(picture, tile, tile)
    return canvas


def _text_strip(text: str, width: int, height: int, size: int, align: Literal["centre", "left"] = "centre") -> Picture:
    font, shown = _font(size), text
    while len(shown) > 1 and font.getlength(shown) > width - 8:
        shown = shown.rstrip("…")[:-1] + "…"
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    place, anchor = ((4, height / 2), "lm") if align == "left" else ((width / 2, height / 2), "mm")
    ImageDraw.Draw(canvas).text(place, shown, fill=INK, font=font, anchor=anchor)
    return np.asarray(canvas)
