"""REALY's ground truth in its official layout: keypoints, scan regions, metrical scales."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.metrics.realy.regions import KEYPOINT_COUNT, REGIONS
from mgc_lightning.metrics.realy.scan import REALYScan, ScanRegion

KEYPOINTS_FOLDER = "REALY_HIFI3D_keypoints"
REGIONS_FOLDER = "REALY_scan_region"
SCALE_FILE = "metrical_scale.txt"
IMAGES_FOLDER = "REALY_image"
LANDMARKS_FOLDER = "REALY_landmarks"

PLAUSIBLE_EYES_MM = (50.0, 160.0)
"""Range for the distance of the outer eye corners that tells model units from millimetres."""


@dataclass(frozen=True)
class REALYDataset:
    """Read the subjects of a folder in the official layout.

    Args:
        root: folder that holds `REALY_HIFI3D_keypoints/`, `REALY_scan_region/` and `metrical_scale.txt`.
    """

    root: Path

    @cached_property
    def scales(self) -> Float[NDArray, " S"]:
        """Millimetres per model unit: line i is subject i + 1."""
        path = self.root / SCALE_FILE
        if not path.is_file():
            raise MGCError(f"{path}: no such file; expected one number a line, mm per unit, line 1 for subject 1")
        try:
            scales = np.loadtxt(path, ndmin=1)
        except ValueError as error:
            raise MGCError(f"{path}: expected one number a line ({error})") from error
        if scales.ndim != 1 or not len(scales) or not (np.isfinite(scales) & (scales > 0)).all():
            raise MGCError(f"{path}: expected positive numbers, one a line")
        return scales

    @cached_property
    def subjects(self) -> list[int]:
        """Numbers of the subjects that have keypoints, in order."""
        folder = self.root / KEYPOINTS_FOLDER
        if not folder.is_dir():
            raise MGCError(
                f"{folder}: no such folder; a REALY data set holds {KEYPOINTS_FOLDER}/, {REGIONS_FOLDER}/ and "
                f"{SCALE_FILE}"
            )
        subjects = sorted(int(path.stem) for path in folder.glob("*.obj") if path.stem.isdecimal())
        if not subjects:
            raise MGCError(f"{folder}: expected <subject>.obj, found none")
        return subjects

    def scale(self, subject: int) -> float:
        """Give the millimetres per model unit of a subject.

        Raises:
            MGCError: if the file has no line for it.
        """
        if not 1 <= subject <= len(self.scales):
            raise MGCError(
                f"{self.root / SCALE_FILE}: no scale for subject {subject}; it has lines for subjects 1 to "
                f"{len(self.scales)}"
            )
        return float(self.scales[subject - 1])

    def files(self, subject: int) -> list[Path]:
        """Name the files of a subject: keypoints, then the regions in the order of `REGIONS`."""
        folder = self.root / REGIONS_FOLDER / str(subject)
        return [self.root / KEYPOINTS_FOLDER / f"{subject}.obj", *(folder / f"{name}.obj" for name in REGIONS)]

    def load(self, subject: int) -> REALYScan:
        """Read one subject.

        Raises:
            MGCError: if a file is missing or malformed, the keypoints are not 85, the subject has no scale, or
                the lengths cannot be model units.
        """
        scale = self.scale(subject)
        path, *region_paths = self.files(subject)
        keypoints = read_mesh(path, require_faces=False).verts.astype(np.float32)
        if len(keypoints) != KEYPOINT_COUNT:
            raise MGCError(f"{path}: expected {KEYPOINT_COUNT} keypoints, got {len(keypoints)}")
        _check_unit(path, keypoints, scale)
        regions = {name: _region(file) for name, file in zip(REGIONS, region_paths, strict=True)}
        return REALYScan(subject, keypoints, regions, scale)


def _region(path: Path) -> ScanRegion:
    mesh = read_mesh(path)
    return ScanRegion(mesh.verts.astype(np.float32), mesh.faces)


def _check_unit(path: Path, keypoints: Float[NDArray, "85 3"], scale: float) -> None:
    """Refuse lengths that are no face: the stop tests and thresholds of the protocol are in model units."""
    eyes = float(np.linalg.norm(keypoints[36] - keypoints[45])) * scale
    low, high = PLAUSIBLE_EYES_MM
    if not low <= eyes <= high:
        raise MGCError(
            f"{path}: the outer eye corners are {eyes:.4g} mm apart at {scale:g} mm per unit; expected {low:g} to "
            f"{high:g}. Keypoints and scans must be in model units (about 9 mm), not in mm or m"
        )
