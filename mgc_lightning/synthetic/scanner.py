"""A virtual scanner: turns a head into a scan with its own triangulation, occlusion, holes and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.rendering.rasterizers import get_rasterizer
from mgc_lightning.synthetic.set_settings import ScannerSettings

FAR = 1000.0


@dataclass(frozen=True)
class Scan:
    """Hold a scan: verts (S, 3) float64 mm, faces (F, 3)."""

    verts: Float[NDArray, "S 3"]
    faces: Int[NDArray, "F 3"]


DEFAULTS = ScannerSettings()


def scan_head(
    verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
    rng: np.random.Generator,
    settings: ScannerSettings = DEFAULTS,
) -> Scan:
    """Scan a head: rays of a cylinder meet its outermost surface; then noise and holes.

    Args:
        verts: (N, 3) mm, model frame: y up, the face towards +z.
        faces: (F, 3).
        rng: decides noise and holes.
        settings: of the scanner.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> coarse = ScannerSettings(spacing=8.0, half_angle=60.0, holes=0)
        >>> scan = scan_head(model.mean.numpy(), model.faces.numpy(), np.random.default_rng(0), coarse)
        >>> scan.verts.shape[1], scan.faces.shape[1], len(scan.verts) > 300
        (3, 3, True)
    """
    points, valid = _hit(np.asarray(verts, np.float64), np.asarray(faces, np.int64), settings)
    outward = points * [1.0, 0.0, 1.0] - [0.0, 0.0, settings.axis_z]
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True).clip(1e-9)
    error = rng.normal(0, settings.noise, points.shape[:2]) + _waves(points, rng, settings.waves)
    points = points + error[..., None] * outward
    for _ in range(settings.holes):
        rows, columns = np.nonzero(valid)
        place = rng.integers(len(rows))
        away = np.linalg.norm(points - points[rows[place], columns[place]], axis=-1)
        valid &= away > rng.uniform(*settings.hole_radius)
    return _mesh(points, valid, settings.spacing)


def _hit(
    verts: NDArray, faces: NDArray, settings: ScannerSettings
) -> tuple[Float[NDArray, "H W 3"], NDArray[np.bool_]]:
    """Find where the rays meet the surface; points on the triangles exactly."""
    step = settings.spacing / 90.0
    half = np.deg2rad(settings.half_angle)
    x, y, z = verts[:, 0], verts[:, 1], verts[:, 2] - settings.axis_z
    angle = np.arctan2(x, z)
    u, v = (angle + half) / step, (y.max() - y) / settings.spacing
    height, width = int(v.max()) + 1, int(2 * half / step)
    # Triangles across the back would span the whole picture.
    kept = faces[np.ptp(angle[faces], axis=1) < np.pi / 2]
    if not len(kept):
        raise MGCError("There is nothing to scan: no triangle lies before the scanner")
    screen = np.stack([u, v, FAR - np.hypot(x, z)], axis=-1)
    kernel = get_rasterizer("numba", torch.device("cpu"))
    pix_to_face, _ = kernel(torch.from_numpy(screen.astype(np.float32))[None], torch.from_numpy(kept), (height, width))
    winner = pix_to_face[0].numpy()
    valid = winner >= 0
    corners = kept[winner.clip(0)]
    centre = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    bary = _barycentrics(screen[corners, :2], centre)
    return np.einsum("hwk,hwkc->hwc", bary, verts[corners]), valid


def _barycentrics(corners: Float[NDArray, "H W 3 2"], points: Float[NDArray, "H W 2"]) -> Float[NDArray, "H W 3"]:
    a, b, c = np.moveaxis(corners, -2, 0)
    first, second, offset = b - a, c - a, points - a
    area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    area = np.where(np.abs(area) < 1e-12, 1.0, area)
    s = (offset[..., 0] * second[..., 1] - offset[..., 1] * second[..., 0]) / area
    t = (first[..., 0] * offset[..., 1] - first[..., 1] * offset[..., 0]) / area
    bary = np.stack([1 - s - t, s, t], axis=-1).clip(0, 1)
    return bary / bary.sum(axis=-1, keepdims=True)


def _waves(points: NDArray, rng: np.random.Generator, amplitude: float) -> NDArray:
    """Sum a few slow waves over the head."""
    total = np.zeros(points.shape[:2])
    for _ in range(4):
        direction = rng.normal(size=3)
        direction *= 2 * np.pi / rng.uniform(40, 90) / np.linalg.norm(direction)
        total += np.sin(points @ direction + rng.uniform(0, 2 * np.pi))
    return amplitude * total / 2


def _mesh(points: NDArray, valid: NDArray, spacing: float) -> Scan:
    """Join neighbouring rays by triangles, but not across edges of occlusion."""
    index = np.full(valid.shape, -1)
    index[valid] = np.arange(valid.sum())
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack(corners, -1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))])
    faces = faces[(faces >= 0).all(axis=1)]
    verts = points[valid]
    edges = np.linalg.norm(verts[faces] - verts[np.roll(faces, 1, axis=1)], axis=-1)
    return Scan(verts, faces[(edges < 5 * spacing).all(axis=1)])
