"""Scan regions coloured by error, as the official program saves them; and a picture of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib import colormaps
from numpy.typing import NDArray

from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.metrics.realy.evaluate import PredictionErrors, RegionError
from mgc_lightning.pictures.drawing import Picture, to_picture
from mgc_lightning.rendering.rasterizers import get_rasterizer

RED_AT = 0.5
"""Error that is drawn in the darkest red, model units (about 4.5 mm)."""
_LIGHT = np.array([0.25, 0.35, 0.9])


def error_colors(region: RegionError) -> Float[NDArray, "N 3"]:
    """Colour the vertices of a region by the jet map from 0 to half a model unit.

    Example:
        >>> from mgc_lightning.metrics.realy.ricp import RegionalAlignment
        >>> from mgc_lightning.metrics.realy.surface import PosedVerts
        >>> verts, errors, faces = np.zeros((3, 3)), np.array([0.0, 2.25, 9.0]), np.array([[0, 1, 2]])  # errors in mm
        >>> alignment = RegionalAlignment(PosedVerts.at_rest(verts), fits=1)
        >>> region = RegionError(3.75, errors, verts, faces, verts, alignment, solves=7, scale=9.0)
        >>> error_colors(region).round(1).tolist()  # blue, green, and red from half a model unit on
        [[0.0, 0.0, 0.5], [0.5, 1.0, 0.5], [0.5, 0.0, 0.0]]
    """
    errors = region.vertex_errors / (RED_AT * region.scale)
    return colormaps["jet"](np.clip(errors, 0.0, 1.0))[:, :3]


def error_map_file(folder: Path, region: str) -> Path:
    """Name the file of a region in the folder of a prediction."""
    return folder / f"error_{region}.ply"


def write_error_maps(folder: str | Path, result: PredictionErrors) -> None:
    """Write `error_<region>.ply`, in model units, a file a region."""
    folder = Path(folder)
    for name, region in result.regions.items():
        write_mesh(error_map_file(folder, name), region.verts, region.faces, error_colors(region))


def draw_error_map(result: PredictionErrors, size: int = 256) -> Picture:
    """Draw the coloured regions from the front, in parallel projection, on white.

    Args:
        result: of one prediction.
        size: side of the picture in px.
    """
    regions = list(result.regions.values())
    verts = np.concatenate([region.verts for region in regions])
    starts = np.cumsum([0, *(len(region.verts) for region in regions[:-1])])
    faces = np.concatenate([region.faces + start for region, start in zip(regions, starts, strict=True)])
    colors = np.concatenate([error_colors(region) for region in regions])[faces].mean(axis=1)
    low, high = verts.min(axis=0), verts.max(axis=0)
    zoom = 0.94 * size / (high - low)[:2].max()
    centre = (low + high) / 2
    screen = np.stack(
        [
            (verts[:, 0] - centre[0]) * zoom + size / 2,
            (centre[1] - verts[:, 1]) * zoom + size / 2,
            2 * (high[2] - low[2]) + high[2] - verts[:, 2] + 10.0,
        ],
        axis=1,
    )
    hit, _ = get_rasterizer("numba")(torch.from_numpy(screen[None]).float(), torch.from_numpy(faces), (size, size))
    shown = hit[0].numpy()
    normals = np.cross(verts[faces[:, 1]] - verts[faces[:, 0]], verts[faces[:, 2]] - verts[faces[:, 0]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    lit = colors * (0.45 + 0.55 * np.abs(normals @ _LIGHT).clip(0, 1))[:, None]
    return to_picture(np.where((shown >= 0)[..., None], lit[shown], 1.0))
