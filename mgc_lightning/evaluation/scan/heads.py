"""A head to photograph: a textured scan with its points, in millimetres, and the frame in which it looks ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.arguments.checked import checked
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.points import UPRIGHT, find_points, points_in_mm
from mgc_lightning.evaluation.scan.settings import Votes
from mgc_lightning.files.textured import TexturedMesh, read_textured_mesh
from mgc_lightning.geometry.alignment import similarity_fit
from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.metrics.now.scan import NoWScan, crop_scan

DENSE = 10_000
"""Scan vertices in NoW's ball below which the surface is sampled instead: votes of a coarse scan's vertices would count
the regions that its writer kept fine (a scan of NoW has 20,000)."""
SAMPLES = 20_000
"""Points in NoW's ball of a sampled surface, about."""
AWAY = 15.0
"""mm by which points may lie off the surface, on average, before scan and points cannot belong together."""


@dataclass(frozen=True)
class ScanHead:
    """Hold a head.

    Attributes:
        name: of its folder.
        mesh: surface, mm, scan frame.
        landmarks7: (7, 3) mm, scan frame.
        landmarks68: (68, 3), where they are known.
        scan: what NoW scores against.
        sampled: whether that is samples of the surface rather than the scan's vertices.
    """

    name: str
    mesh: TexturedMesh
    landmarks7: Float[NDArray, "7 3"]
    landmarks68: Float[NDArray, "68 3"] | None
    scan: NoWScan
    sampled: bool

    @property
    def landmarks(self) -> Float[NDArray, "P 3"]:
        """All points that are known: 68, or 7."""
        return self.landmarks7 if self.landmarks68 is None else self.landmarks68

    @cached_property
    def T_head_scan(self) -> Float[NDArray, "4 4"]:  # noqa: N802
        """Turn and shift from the scan's frame to one that looks ahead."""
        _, R, t = similarity_fit(
            torch.from_numpy(self.landmarks7), torch.tensor(UPRIGHT, dtype=torch.float64), with_scale=False
        )
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = R.numpy(), t.numpy()
        return T


@checked
def read_head(
    path: str | Path,
    points: str | Path | None = None,
    unit: Unit | None = None,
    name: str | None = None,
    votes: Votes = "auto",
    seed: int = 0,
) -> ScanHead:
    """Read a scan with its points.

    Args:
        path: .obj (with MTL and image), .ply or .glb, coloured by an image or at its vertices.
        points: see `read_scan_points`; looked for beside the scan if None.
        unit: mm, cm or m of scan and points; if None, what the file of points says, else metres for .glb, else mm.
        name: of the head; the stem of the scan if None.
        votes: what NoW counts: `vertices` of the scan, points of its `surface` at equal density, or `auto`: the
            surface where fewer than 10,000 vertices would vote.
        seed: of the samples of the surface.

    Raises:
        MGCError: if a file cannot be read, the unit cannot be true, or points and scan do not belong together.

    Example:
        >>> import json, tempfile
        >>> from mgc_lightning import load_face_model, write_mesh
        >>> model, path = load_face_model(), Path(tempfile.mkdtemp()) / "anna.ply"
        >>> _ = write_mesh(path, model.mean, model.faces, model.albedo_mean)
        >>> points = {"landmarks7": model.landmarks7(model.mean).tolist()}
        >>> _ = path.with_suffix(".json").write_text(json.dumps(points))
        >>> head = read_head(path, votes="vertices")
        >>> head.name, head.landmarks.shape, head.sampled
        ('anna', (7, 3), False)
    """
    path = Path(path)
    mesh = read_textured_mesh(path)
    given = find_points(path) if points is None else Path(points)
    found, scale = points_in_mm(path, given, unit)
    seven = found.landmarks7
    mesh = replace(mesh, points=mesh.points * scale, verts=mesh.verts * scale)
    surface = ClosestPoints(mesh.verts, mesh.faces)
    away = float(surface.query(seven).distances.mean())
    if away > AWAY:
        raise MGCError(
            f"{given}: the points lie {away:.3g} mm off the surface of {path.name} on average; do scan and points "
            "share their frame?"
        )
    scan = crop_scan(mesh.points, seven, str(path))
    sampled = votes == "surface" or (votes == "auto" and len(scan.points) < DENSE)
    if sampled:
        scan = _sampled(mesh, seven, scan, seed)
    all68 = None if found.landmarks68 is None else found.landmarks68 * scale
    return ScanHead(name or path.stem, mesh, seven, all68, scan, sampled)


def _sampled(mesh: TexturedMesh, seven: Float[NDArray, "7 3"], scan: NoWScan, seed: int) -> NoWScan:
    """Spread points over the surface in the ball, each of the same area."""
    near = (np.linalg.norm(mesh.verts[mesh.faces] - scan.centre, axis=-1) <= scan.radius).any(axis=1)
    corners = mesh.verts[mesh.faces[near]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    rng = np.random.default_rng(seed)
    # Stratified along the list of faces, so that even small ones get their share.
    strata = (np.arange(SAMPLES) + rng.random(SAMPLES)) / SAMPLES
    face = np.searchsorted(np.cumsum(area) / area.sum(), strata).clip(max=len(corners) - 1)
    u, v = np.sqrt(rng.random(SAMPLES)), rng.random(SAMPLES)
    share = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return crop_scan(np.einsum("mk,mka->ma", share, corners[face]), seven, "the scan's surface")
