"""Heads that move, as GLB: directions as morph targets, animated by weights and turns over time (glTF 2.0)."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.colors import srgb_to_linear
from mgc_lightning.files.glb import pack_glb

_FLOAT, _UINT = 5126, 5125
_ARRAYS, _ELEMENTS = 34962, 34963
"""OpenGL's numbers, which glTF uses."""


@dataclass(frozen=True)
class Motion:
    """Say how a head moves.

    Attributes:
        times: (T,) s, rising.
        weights: (T, E) of the morph targets.
        rotations: (T, 4) unit quaternions x, y, z, w, of the head in the scene (y up, z toward the viewer).
    """

    times: Float[NDArray, " T"]
    weights: Float[NDArray, "T E"]
    rotations: Float[NDArray, "T 4"]


def write_rigged_glb(
    path: str | os.PathLike[str],
    verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
    normals: Float[NDArray, "N 3"],
    colors: Float[NDArray, "N 3"],
    targets: Float[NDArray, "E N 3"],
    names: Sequence[str],
    weights: Float[NDArray, " E"],
    motion: Motion | None = None,
) -> Path:
    """Write a mesh with named morph targets; whole or not at all.

    Programs show `verts + weights @ targets`. Names are `mesh.extras.targetNames`, where Blender, three.js, Unity and
    Unreal look for them. Lengths are kept in mm under a node scaled to glTF's metres.

    Args:
        path: a .glb.
        verts: (N, 3) mm, all weights zero.
        faces: (F, 3) vertex indices.
        normals: (N, 3) unit vectors.
        colors: (N, 3) display-space RGB in [0, 1].
        targets: (E, N, 3) mm for a weight of one.
        names: E names.
        weights: (E,) at rest.
        motion: an animation, if there is one.

    Raises:
        MGCError: if shapes do not fit, a number is not finite, or times do not rise.

    Example:
        >>> import tempfile
        >>> triangle = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
        >>> up, red = np.tile([0.0, 0, 1], (3, 1)), np.tile([1.0, 0, 0], (3, 1))
        >>> path = Path(tempfile.mkdtemp()) / "a.glb"
        >>> file = write_rigged_glb(path, triangle, np.array([[0, 1, 2]]), up, red, up[None], ["lift"], np.zeros(1))
        >>> from mgc_lightning import read_mesh
        >>> read_mesh(file).verts[1].tolist()
        [10.0, 0.0, 0.0]
    """
    target = Path(path)
    _check(target, verts, targets, names, weights, motion)
    linear = np.concatenate([srgb_to_linear(np.clip(colors, 0, 1)), np.ones((len(verts), 1))], axis=1)
    parts = _Parts()
    primitive = {
        "attributes": {
            "POSITION": parts.add(verts.astype("<f4"), "VEC3", _ARRAYS, bounds=True),
            "NORMAL": parts.add(normals.astype("<f4"), "VEC3", _ARRAYS),
            "COLOR_0": parts.add(linear.astype("<f4"), "VEC4", _ARRAYS),
        },
        "indices": parts.add(faces.astype("<u4").ravel(), "SCALAR", _ELEMENTS),
        "targets": [{"POSITION": parts.add(each.astype("<f4"), "VEC3", _ARRAYS, bounds=True)} for each in targets],
        "material": 0,
    }
    content: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mgc-lightning"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "head", "children": [1], "rotation": [0.0, 0.0, 0.0, 1.0]},
            {"name": "face", "mesh": 0, "scale": [0.001] * 3},
        ],
        "meshes": [
            {
                "name": "face",
                "primitives": [primitive],
                "weights": [float(weight) for weight in weights],
                "extras": {"targetNames": list(names)},
            }
        ],
        "materials": [
            {
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8},
                "doubleSided": True,
                "name": "skin",
            }
        ],
    }
    if motion is not None:
        content["animations"] = [_animation(parts, motion)]
    content |= {
        "accessors": parts.accessors,
        "bufferViews": parts.views,
        "buffers": [{"byteLength": len(parts.data)}],
    }
    with atomic_path(target) as temporary:
        temporary.write_bytes(pack_glb(content, struct.pack("<I4s", len(parts.data), b"BIN\0") + parts.data))
    return target


class _Parts:
    """Collect arrays in one buffer."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray, kind: str, use: int | None = None, bounds: bool = False) -> int:
        """Add an array of one kind; give the number of its accessor."""
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes})
        if use is not None:
            self.views[-1]["target"] = use
        self.data += np.ascontiguousarray(array).tobytes()  # of four bytes each, so all stay aligned
        component = _UINT if array.dtype.kind == "u" else _FLOAT
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(array), "type": kind}
        if bounds:
            rows = array.reshape(len(array), -1)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _animation(parts: _Parts, motion: Motion) -> dict[str, Any]:
    times = parts.add((motion.times - motion.times[0]).astype("<f4"), "SCALAR", bounds=True)
    weights = parts.add(motion.weights.astype("<f4").ravel(), "SCALAR")
    rotations = parts.add(motion.rotations.astype("<f4"), "VEC4")
    return {
        "name": "video",
        "samplers": [{"input": times, "output": output, "interpolation": "LINEAR"} for output in (weights, rotations)],
        "channels": [
            {"sampler": 0, "target": {"node": 1, "path": "weights"}},
            {"sampler": 1, "target": {"node": 0, "path": "rotation"}},
        ],
    }


def _check(
    path: Path, verts: NDArray, targets: NDArray, names: Sequence[str], weights: NDArray, motion: Motion | None
) -> None:
    if path.suffix.lower() != ".glb":
        raise MGCError(f"{path}: expected a .glb")
    if targets.shape != (len(names), *verts.shape) or weights.shape != (len(names),) or not len(names):
        raise MGCError(
            f"{path}: expected {len(names)} targets of {verts.shape} with as many weights, got {targets.shape} and "
            f"{weights.shape}"
        )
    numbers = [verts, targets, weights]
    if motion is not None:
        count = len(motion.times)
        if motion.weights.shape != (count, len(names)) or motion.rotations.shape != (count, 4) or not count:
            raise MGCError(f"{path}: expected weights ({count}, {len(names)}) and rotations ({count}, 4) of its motion")
        if (np.diff(motion.times) <= 0).any():
            raise MGCError(f"{path}: the times of its motion do not rise")
        numbers += [motion.times, motion.weights, motion.rotations]
    if not all(np.isfinite(each).all() for each in numbers):
        raise MGCError(f"{path}: a number of its mesh or its motion is not finite")
