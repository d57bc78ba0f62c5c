"""`mgc fit-scan`: the coefficients of a face model from a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import File, Folder, Metavar, NameOrPath, Whole
from mgc_lightning.face_models.names import EMBEDDED
from mgc_lightning.fitting.scan_settings import ScanFitSettings
from mgc_lightning.metrics.now.names import Unit


def fit_scan(
    scan: Annotated[Path, Metavar("SCAN")],
    *,
    output: Folder,
    scan_landmarks: File | None = None,
    unit: Unit | None = None,
    face_model: NameOrPath = EMBEDDED,
    level: Whole = 0,
    settings: ScanFitSettings,
) -> int:
    """Fit a face model to a scan: its coefficients, its place, and its mesh on the scan.

    Args:
        scan: .obj, .ply or .glb.
        output: folder for fit.json, fitted.ply (on the scan) and neutral.ply.
        scan_landmarks: its 7 points of NoW or 68 of iBUG (.json, .txt, .npy, .pp); looked for beside it if not given.
        unit: of scan and points; if not given, what the file of points says, else m for .glb, else mm.
        face_model: that is fitted.
        level: level of detail of its mesh.
        settings: of the fit.
    """
    from mgc_lightning.evaluation.scan.fit_file import describe_fit, fit_scan_file, write_fitted_scan
    from mgc_lightning.face_models import load_face_model

    model = load_face_model(face_model, level)
    fitted = fit_scan_file(scan, model, scan_landmarks, unit, settings)
    files = write_fitted_scan(fitted, output, model)
    distances = describe_fit(fitted, model)["distances_mm"]
    print(
        f"{scan}: {distances['points']} points lie {distances['median']:.2f} mm off {model.name} (median), "
        f"{distances['90 %']:.2f} mm (90 %); the landmarks {fitted.fit.landmark_distances.mean():.2f} mm (mean)"
    )
    print("\n".join(map(str, files)))
    return 0
