"""A face model fitted to the file of a scan: its coefficients, its place, and its mesh on the scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.arguments.checked import checked
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.points import find_points, points_in_mm
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.glb import read_glb_scene
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import write_json
from mgc_lightning.fitting.scan_fit import ScanFit, fit_scan
from mgc_lightning.fitting.scan_settings import ScanFitSettings
from mgc_lightning.metrics.now.names import Unit


@dataclass(frozen=True)
class FittedScan:
    """Hold a face model fitted to the file of a scan.

    Attributes:
        scan: the file.
        fit: coefficients and place, mm.
        to_mm: mm per unit of the file.
    """

    scan: Path
    fit: ScanFit
    to_mm: float


@checked
def fit_scan_file(
    scan: str | Path,
    face_model: FaceModel,
    points: str | Path | None = None,
    unit: Unit | None = None,
    settings: ScanFitSettings | None = None,
) -> FittedScan:
    """Fit a face model to a scan by its points and its surface.

    Args:
        scan: .obj, .ply or .glb; colours play no part, nor do vertices without a face in a mesh that has faces.
        face_model: any.
        points: NoW's 7 or iBUG's 68 points in a file, see `read_scan_points`; looked for beside the scan if None.
        unit: of scan and points; if None, what the file of points says, else metres for .glb, else mm.
        settings: of the fit.

    Raises:
        MGCError: if a file cannot be read, the unit or the order of the points cannot be true, or scan and points do
            not belong together.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import load_face_model
        >>> model, path = load_face_model(), Path(tempfile.mkdtemp()) / "anna.ply"
        >>> _ = write_mesh(path, 0.1 * model.mean, model.faces)  # cm
        >>> _ = write_json(path.with_suffix(".json"), (0.1 * model.landmarks7(model.mean)).tolist())
        >>> fitted = fit_scan_file(path, model, unit="cm", settings=ScanFitSettings(iterations=5))
        >>> bool(np.median(fitted.fit.distances) < 1.0), fitted.to_mm
        (True, 10.0)
    """
    scan = Path(scan)
    given = find_points(scan) if points is None else Path(points)
    verts = _read_points(scan)
    found, to_mm = points_in_mm(scan, given, unit)
    landmarks = found.landmarks7 if found.landmarks68 is None else found.landmarks68
    return FittedScan(scan, fit_scan(face_model, verts * to_mm, landmarks, settings), to_mm)


def write_fitted_scan(fitted: FittedScan, folder: str | Path, face_model: FaceModel) -> list[Path]:
    """Write `fit.json`, `fitted.ply` (the whole head on the scan, in its unit and frame) and `neutral.ply`.

    `neutral.ply` has the identity alone, in mm, in the frame of the face model.

    Args:
        fitted: what.
        folder: created if need be; files of the same names are replaced.
        face_model: that was fitted.
    """
    folder, fit = Path(folder), fitted.fit
    on_scan = fit.to_scan(fit.verts.numpy()) / fitted.to_mm
    return [
        write_json(folder / "fit.json", describe_fit(fitted, face_model)),
        write_mesh(folder / "fitted.ply", on_scan, face_model.faces),
        write_mesh(folder / "neutral.ply", face_model.shape(fit.identity.to(face_model.mean)), face_model.faces),
    ]


def describe_fit(fitted: FittedScan, face_model: FaceModel) -> dict[str, Any]:
    """Put a fit into words and plain numbers."""
    fit = fitted.fit
    return {
        "scan": fitted.scan.name,
        "mm_per_unit": fitted.to_mm,
        "face_model": {"name": face_model.name, "fingerprint": face_model.fingerprint, "units": face_model.units},
        "identity": fit.identity.tolist(),
        "expression": fit.expression.tolist(),
        "expression_names": list(face_model.expression_names),
        "scan_from_model": {"s": fit.s, "R": fit.R.tolist(), "t": fit.t.tolist(), "unit": "mm, scan = s R x + t"},
        "distances_mm": {
            "points": len(fit.distances),
            "median": float(np.median(fit.distances)),
            "mean": float(fit.distances.mean()),
            "90 %": float(np.quantile(fit.distances, 0.9)),
        },
        "landmark_distances_mm": fit.landmark_distances.tolist(),
    }


def _read_points(scan: Path) -> Float[NDArray, "M 3"]:
    """Give the vertices of the surface: of a mesh, those that have a face; of a point set all."""
    if scan.suffix.lower() != ".glb":
        mesh = read_mesh(scan, require_faces=False)
        return mesh.verts[np.unique(mesh.faces)] if len(mesh.faces) else mesh.verts
    if not scan.is_file():
        raise MGCError(f"{scan}: no such scan")
    with reading(scan, "could not be read as .glb"):
        scene = read_glb_scene(scan)
        parts = []
        for node in scene.graph.nodes_geometry:
            transform, name = scene.graph[node]
            part = scene.geometry[name]
            used = np.unique(part.faces) if isinstance(part, trimesh.Trimesh) else slice(None)
            parts.append(trimesh.transform_points(part.vertices[used], transform))
        return np.concatenate(parts)
