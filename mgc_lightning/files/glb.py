"""GLB files: read by trimesh, but for the colours of vertices, whose types it mixes up."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.colors import linear_to_srgb

_KEPT = "_COLOR_0"
"""Attributes of such names are left as the file has them."""
_WHITE = {"u1": 255.0, "u2": 65535.0, "f4": 1.0}
"""What a colour may be (glTF 2.0, 3.7.2.1): bytes and shorts are normalised."""


def read_glb_scene(path: Path) -> trimesh.Scene:
    """Read a scene in which `glb_colors` finds the colours of each part.

    Raises:
        ValueError: if it is no GLB; trimesh raises more.
    """
    data = path.read_bytes()
    if len(data) < 20 or data[:4] != b"glTF" or data[16:20] != b"JSON":
        raise ValueError("it does not begin as a GLB file does")
    end = 20 + struct.unpack("<I", data[12:16])[0]
    content = json.loads(data[20:end])
    for mesh in content.get("meshes", []):
        for part in mesh["primitives"]:
            if "COLOR_0" in part["attributes"]:
                part["attributes"][_KEPT] = part["attributes"].pop("COLOR_0")
    stream = io.BytesIO(pack_glb(content, data[end:]))
    resolver = trimesh.resolvers.FilePathResolver(str(path))
    return trimesh.load_scene(stream, file_type="glb", resolver=resolver, process=False, maintain_order=True)


def pack_glb(content: dict[str, Any], chunks: bytes) -> bytes:
    """Put a GLB together of its description and the chunks that follow it (glTF 2.0, 4.4).

    Example:
        >>> packed = pack_glb({"asset": {"version": "2.0"}}, b"")
        >>> packed[:4], len(packed) % 4
        (b'glTF', 0)
    """
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(chunks)) + struct.pack("<I4s", len(text), b"JSON")
    return head + text + chunks


def glb_colors(part: trimesh.Trimesh, source: object) -> Float[NDArray, "N 3"] | None:
    """Give the colours of a part's vertices in display space, [0, 1]; None where it has none.

    Raises:
        MGCError: if they are of a type that glTF does not know.
    """
    attributes: Any = part.vertex_attributes
    if _KEPT not in attributes:
        return None
    values = np.asarray(attributes[_KEPT])
    kind = values.dtype.str[1:]
    if kind not in _WHITE or values.ndim != 2 or values.shape[1] not in (3, 4):
        raise MGCError(f"{source}: expected colours of bytes, shorts or floats, got {values.dtype} {values.shape}")
    return linear_to_srgb((values[:, :3].astype(np.float64) / _WHITE[kind]).clip(0.0, 1.0))
