"""Pictures for people: overlays, landmarks, heat maps, labelled sheets; all uint8 arrays (H, W, 3)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path

Picture = UInt8[NDArray, "H W 3"]
"""What every function here takes and gives."""

LANDMARK_GROUPS: dict[str, tuple[slice, bool, tuple[int, int, int]]] = {
    "jaw": (slice(0, 17), False, (64, 196, 255)),
    "right brow": (slice(17, 22), False, (255, 196, 64)),
    "left brow": (slice(22, 27), False, (255, 196, 64)),
    "nose bridge": (slice(27, 31), False, (120, 255, 120)),
    "nose base": (slice(31, 36), False, (120, 255, 120)),
    "right eye": (slice(36, 42), True, (255, 128, 220)),
    "left eye": (slice(42, 48), True, (255, 128, 220)),
    "outer lips": (slice(48, 60), True, (255, 96, 96)),
    "inner lips": (slice(60, 68), True, (255, 96, 96)),
}
"""The iBUG 68 by groups: indices, whether the line closes, colour."""

ERROR_MAP = "YlOrRd"
"""Default colour map of errors: pale where small, so that shading stays visible, red where large."""


def to_picture(image: Float[Tensor, "_ H W"] | Real[NDArray, "H W *channels"]) -> Picture:
    """Turn an image into a picture.

    Args:
        image: a tensor (3 or 1, H, W) in [0, 1], or an array (H, W), (H, W, 1) or (H, W, 3), in [0, 1] or
            uint8.

    Raises:
        MGCError: for other shapes.

    Example:
        >>> picture = to_picture(torch.full((1, 2, 2), 0.5))
        >>> picture.shape, picture[0, 0].tolist()
        ((2, 2, 3), [128, 128, 128])
    """
    array = image.detach().float().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if isinstance(image, Tensor) and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
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


def draw_landmarks(
    image: Tensor | NDArray,
    points: Float[Tensor, "N 2"] | Float[NDArray, "N 2"],
    color: tuple[int, int, int] | None = None,
    minimum: int = 256,
) -> Picture:
    """Draw points, and for 68 of them the lines of the face; small images are enlarged first.

    Args:
        image: as `to_picture` takes it.
        points: (N, 2) px of `image`, pixel centres at +.5; points that are not finite are left out.
        color: of all points; if not given, each group has its own.
        minimum: shorter side of the result, at least.

    Example:
        >>> picture = draw_landmarks(np.zeros((64, 64, 3)), np.array([[32.0, 32.0], [np.nan, 0.0]]), color=(255, 0, 0))
        >>> picture.shape, picture[128, 128].tolist()
        ((256, 256, 3), [255, 0, 0])
    """
    picture = upscale(image, minimum)
    factor = picture.shape[0] / to_picture(image).shape[0]
    places = torch.as_tensor(points).detach().double().cpu().numpy().reshape(-1, 2) * factor
    # Drawn at twice the size and reduced: PIL does not smooth edges.
    canvas = Image.fromarray(picture).resize((picture.shape[1] * 2, picture.shape[0] * 2))
    draw, places = ImageDraw.Draw(canvas), places * 2
    # Sizes follow the face, not the photograph that it is in.
    finite = places[np.isfinite(places).all(axis=1)]
    extent = float(np.hypot(*np.ptp(finite, axis=0))) if len(places) == 68 and len(finite) else 0.0
    unit = max(extent / 150, 1.0) if extent else min(canvas.size) / 256
    groups = LANDMARK_GROUPS if len(places) == 68 else {"points": (slice(None), False, (96, 255, 96))}
    for part, closed, own in groups.values():
        chosen = places[part][np.isfinite(places[part]).all(axis=1)]
        ink = color or own
        if len(places) == 68 and len(chosen) > 1:
            line = [tuple(p) for p in chosen] + ([tuple(chosen[0])] if closed else [])
            draw.line(line, fill=ink, width=max(1, round(0.9 * unit)), joint="curve")
        radius = (1.2 if len(places) == 68 else 2.4) * unit
        for x, y in chosen:
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=ink, outline=(0, 0, 0) if len(places) != 68 else None, width=round(0.5 * unit))
    return np.asarray(canvas.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BOX))


def error_colors(
    distances: Float[Tensor, "*batch N"], maximum: float, name: str = ERROR_MAP
) -> Float[Tensor, "*batch N 3"]:
    """Colour vertex errors.

    Args:
        distances: (..., N), any unit; not finite ones become grey.
        maximum: the value that gets the last colour.
        name: a matplotlib colour map.

    Returns:
        (..., N, 3) in [0, 1], on the device of `distances`.

    Example:
        >>> colors = error_colors(torch.tensor([0.0, 6.0, torch.nan]), maximum=6.0)
        >>> colors.shape, bool(colors[0, 1] > colors[1, 1])  # pale where small, red where large
        (torch.Size([3, 3]), True)
    """
    table = torch.tensor(matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3], dtype=torch.float32)
    finite = distances.isfinite()
    index = (torch.where(finite, distances, 0.0) / max(maximum, 1e-12) * 255).clamp(0, 255).round().long()
    colors = table.to(distances.device)[index]
    return torch.where(finite[..., None], colors, 0.5)


def color_bar(maximum: float, unit: str = "mm", height: int = 256, name: str = ERROR_MAP) -> Picture:
    """Draw the legend of `error_colors`: a vertical bar from 0 to `maximum`.

    Example:
        >>> color_bar(maximum=5.0, height=128).shape
        (128, 64, 3)
    """
    font = _font(max(11, height // 16))
    width = 24 + round(font.getlength(f"{maximum:g} {unit}")) + 14
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    top, bottom = height // 12, height - height // 12
    ramp = error_colors(torch.linspace(maximum, 0, bottom - top), maximum, name)
    bar = to_picture(ramp[:, None].expand(-1, 16, -1).numpy())
    canvas.paste(Image.fromarray(bar), (6, top))
    draw = ImageDraw.Draw(canvas)
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.text((28, y), f"{maximum * share:g} {unit}", fill=INK, font=font, anchor="lm")
    return np.asarray(canvas)


def label(image: Tensor | NDArray, text: str, size: int | None = None) -> Picture:
    """Write a line of text on a strip above a picture; it is shortened where it does not fit.

    Example:
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


def save_png(path: str | os.PathLike[str], image: Tensor | NDArray) -> Path:
    """Write a picture as PNG, whole or not at all.

    Example:
        >>> import tempfile
        >>> path = save_png(f"{tempfile.mkdtemp()}/red.png", torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1))
        >>> Image.open(path).getpixel((0, 0))
        (255, 0, 0)
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        Image.fromarray(to_picture(image)).save(temporary, format="PNG")
    return target


BACKGROUND = (24, 24, 28)
INK = (230, 230, 230)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _text_strip(text: str, width: int, height: int, size: int, align: Literal["centre", "left"] = "centre") -> Picture:
    font, shown = _font(size), text
    while len(shown) > 1 and font.getlength(shown) > width - 8:
        shown = shown.rstrip("…")[:-1] + "…"
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    place, anchor = ((4, height / 2), "lm") if align == "left" else ((width / 2, height / 2), "mm")
    ImageDraw.Draw(canvas).text(place, shown, fill=INK, font=font, anchor=anchor)
    return np.asarray(canvas)
