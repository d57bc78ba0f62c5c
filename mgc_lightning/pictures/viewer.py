"""A face that turns, as a page of its own that asks nobody for anything: in notebooks, reports and the local page."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError

_TEMPLATE = Path(__file__).with_name("data") / "viewer.html"
HEIGHT = 360
"""Of the frame in px of the page."""
MOST_TRIANGLES = 120_000
"""More would make a page of many megabytes that turns by jerks."""


def viewer_data(
    verts: Float[Tensor, "N 3"] | Float[NDArray, "N 3"],
    faces: Int[Tensor, "F 3"] | Int[NDArray, "F 3"],
    colors: Float[Tensor, "N 3"] | Float[NDArray, "N 3"] | None = None,
    title: str = "",
) -> dict[str, Any]:
    """Pack a mesh as the viewer takes it: in its page, and in messages to it.

    Places are kept to a 32767th of the mesh's size, 0.01 mm for a head, and colours to a 255th. Vertices that no
    triangle has are left out.

    Args:
        verts: (N, 3), x right, y up, z toward the viewer; any unit.
        faces: (F, 3) vertex indices.
        colors: (N, 3) display-space RGB in [0, 1]; grey if not given.
        title: what it shows.

    Raises:
        MGCError: if shapes do not fit, a number is not finite, or there are more than 120,000 triangles.

    Example:
        >>> data = viewer_data(np.eye(3), np.array([[0, 1, 2]]))
        >>> data["title"], data["wide"], len(base64.b64decode(data["places"]))  # 2 bytes a number
        ('', False, 18)
    """
    points, triangles = _array(verts).astype(np.float64), _array(faces)
    shades = np.full(points.shape, 0.72) if colors is None else _array(colors).astype(np.float64)
    _check(points, triangles, shades)
    used, flat = np.unique(triangles, return_inverse=True)
    points, shades = points[used], shades[used]
    low, high = points.min(0), points.max(0)
    centred = points - (low + high) / 2
    radius = float((high - low)[:2].max()) / 2 or float(np.abs(centred).max()) or 1.0
    unit = float(np.abs(centred).max()) / 32767 or 1.0
    wide = len(points) > 65535
    return {
        "title": title,
        "radius": radius,
        "unit": unit,
        "wide": wide,
        "places": _base64(np.round(centred / unit).astype("<i2")),
        "colours": _base64(np.round(shades.clip(0, 1) * 255).astype(np.uint8)),
        "corners": _base64(flat.reshape(-1).astype("<u4" if wide else "<u2")),
    }


def viewer_page(data: dict[str, Any]) -> str:
    """Give the page of a viewer: whole, with its script and its data; it works without a network.

    Args:
        data: of `viewer_data`.

    Example:
        >>> page = viewer_page(viewer_data(np.eye(3), np.array([[0, 1, 2]]), title="</script>"))
        >>> page.count("</script>"), "http" in page.replace("http-equiv", "")  # what it says cannot end its script
        (2, False)
    """
    before, after = _page()
    text = json.dumps(data, separators=(",", ":"))
    # Nothing in it can end the element that it stands in, nor open a comment.
    return before + text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + after


def viewer_frame(data: dict[str, Any], height: int = HEIGHT) -> str:
    """Give the viewer as an element for a page: a frame of its own, which sees nothing of the page around it.

    Args:
        data: of `viewer_data`.
        height: px; it is as wide as it may be.

    Example:
        >>> viewer_frame(viewer_data(np.eye(3), np.array([[0, 1, 2]])))[:48]
        '<iframe class="mgc-face" sandbox="allow-scripts"'
    """
    title = html.escape(data.get("title") or "A face that turns", quote=True)
    look = f"width:100%;height:{int(height)}px;border:0;border-radius:8px;display:block"
    return (
        f'<iframe class="mgc-face" sandbox="allow-scripts" loading="lazy" title="{title}" style="{look}" '
        f'srcdoc="{html.escape(viewer_page(data), quote=True)}"></iframe>'
    )


def viewer_script_hash() -> str:
    """Give the hash by which a page's Content-Security-Policy allows the viewer's script, and no other.

    Example:
        >>> viewer_script_hash()[:7]
        'sha256-'
    """
    return _hash(_TEMPLATE.read_text(encoding="utf-8"))


def _hash(template: str) -> str:
    found = re.search(r"<script>(.*?)</script>", template, re.DOTALL)
    if found is None:
        raise RuntimeError(f"{_TEMPLATE} has no script")
    return "sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()


@cache
def _page() -> tuple[str, str]:
    template = _TEMPLATE.read_text(encoding="utf-8")
    before, _, after = template.replace("@HASH@", _hash(template), 1).partition("@DATA@")
    return before, after


def _array(values: Tensor | NDArray) -> NDArray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _base64(values: NDArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _check(points: NDArray, triangles: NDArray, colors: NDArray) -> None:
    if points.ndim != 2 or points.shape[1:] != (3,) or triangles.ndim != 2 or triangles.shape[1:] != (3,):
        raise MGCError(f"Expected vertices (N, 3) and triangles (F, 3); got {points.shape}, {triangles.shape}")
    if colors.shape != points.shape or not len(triangles):
        raise MGCError(f"Expected triangles, and colours of {points.shape}; got {len(triangles)} and {colors.shape}")
    if len(triangles) > MOST_TRIANGLES:
        raise MGCError(f"A page shows meshes of up to {MOST_TRIANGLES} triangles; got {len(triangles)}")
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise MGCError(f"A triangle names vertex {triangles.max()}, but there are {len(points)} vertices")
    if not np.isfinite(points).all() or not np.isfinite(colors).all():
        raise MGCError("A place or a colour of the mesh to show is not finite")
