"""The REALY data set in its official layout: keypoints, scan regions, metrical scales, photographs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.evaluation.origin import is_synthetic
from mgc_lightning.evaluation.settings import REALYView
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.reading import reason
from mgc_lightning.files.text import read_text
from mgc_lightning.metrics.realy.regions import KEYPOINT_COUNT, REGIONS
from mgc_lightning.metrics.realy.scan import REALYScan, ScanRegion
from mgc_lightning.photographs.landmark_files import find_landmarks

KEYPOINTS, REGION_SCANS = "REALY_HIFI3D_keypoints", "REALY_scan_region"
SCALES = "metrical_scale.txt"
PHOTOS, LANDMARKS = "REALY_image", "REALY_landmarks"

PLAUSIBLE_EYES_MM = (50.0, 160.0)
"""Range for the distance of the outer eye corners that tells model units from millimetres."""

_NAME = re.compile(r"[0-9]{1,9}(_[0-9]{1,9})?")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True)
class REALYImage:
    """Name an image, or the prediction of one: `<subject>` is a frontal one, `<subject>_<view>` a side view.

    Attributes:
        name: without a suffix.

    Raises:
        MGCError: if it is no such name.

    Example:
        >>> REALYImage("12_3").subject, REALYImage("12_3").view, REALYImage("12").view
        (12, 'side', 'frontal')
    """

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MGCError(f"Expected <subject> or <subject>_<view>, numbers both, got {self.name!r}")

    @property
    def subject(self) -> int:
        """Number of the subject: before the first underscore."""
        return int(self.name.split("_")[0])

    @property
    def view(self) -> REALYView:
        """`frontal` or `side`."""
        return "side" if "_" in self.name else "frontal"

    @property
    def order(self) -> int:
        """Sort key of the official program: the number that is left without underscores."""
        return int(self.name.replace("_", ""))


class REALYDataset:
    r"""Find and read what belongs to the subjects of a REALY data set.

    Args:
        root: folder that holds `REALY_HIFI3D_keypoints/`, `REALY_scan_region/` and `metrical_scale.txt`.
        photos: folder of `<subject>.jpg` (frontal) and `<subject>_<view>.jpg` (side); `REALY_image/` in `root` if not
            given.
        landmarks: folder with a file `<name>.txt`, `.npy` or `.pts` for each: 5 or 68 landmarks, or in a `.txt` a box
            `x0 y0 x1 y1`, hairline to chin, px of the photograph; `REALY_landmarks/` in `root` if not given.

    Raises:
        MGCError: if `root` is no folder.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / KEYPOINTS).mkdir()
        >>> for subject in (1, 2, 10):
        ...     (root / KEYPOINTS / f"{subject}.obj").touch()
        >>> _ = (root / SCALES).write_text("9.1\n9.3\n")
        >>> dataset = REALYDataset(root)
        >>> dataset.subjects, dataset.scale(2)  # mm per model unit
        ([1, 2, 10], 9.3)
    """

    def __init__(self, root: str | Path, photos: str | Path | None = None, landmarks: str | Path | None = None) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise MGCError(f"{self.root}: no such folder; expected a REALY data set")
        self.photos = Path(photos) if photos is not None else self.root / PHOTOS
        self.landmarks = Path(landmarks) if landmarks is not None else self.root / LANDMARKS

    @property
    def synthetic(self) -> bool:
        """Whether `mgc synthesize` wrote it: no published score is comparable with one on it."""
        return is_synthetic(self.root)

    @cached_property
    def scales(self) -> Float[NDArray, " S"]:
        """Millimetres per model unit: line i is subject i + 1."""
        path = self.root / SCALES
        if not path.is_file():
            raise MGCError(f"{path}: no such file; expected one number a line, mm per unit, line 1 for subject 1")
        try:
            scales = np.loadtxt(read_text(path, torn=True).splitlines(), ndmin=1)
        except ValueError as error:
            raise MGCError(f"{path}: expected one number a line ({reason(error)})") from error
        if scales.ndim != 1 or not len(scales) or not (np.isfinite(scales) & (scales > 0)).all():
            raise MGCError(f"{path}: expected positive numbers, one a line")
        return scales

    @cached_property
    def subjects(self) -> list[int]:
        """Numbers of the subjects that have keypoints, in order."""
        folder = self.root / KEYPOINTS
        if not folder.is_dir():
            raise MGCError(
                f"{folder}: no such folder; a REALY data set holds {KEYPOINTS}/, {REGION_SCANS}/ and {SCALES}"
            )
        subjects = sorted(int(path.stem) for path in folder.glob("*.obj") if path.stem.isdecimal())
        if not subjects:
            raise MGCError(f"{folder}: expected <subject>.obj, found none")
        return subjects

    @cached_property
    def photo_files(self) -> dict[REALYImage, Path]:
        """The photographs that are there, in the official order; files of other names (depth maps) are passed over."""
        found = {}
        for path in sorted(self.photos.iterdir()) if self.photos.is_dir() else ():
            if path.suffix.lower() in _SUFFIXES:
                try:
                    found[REALYImage(path.stem)] = path
                except MGCError:
                    continue
        return dict(sorted(found.items(), key=lambda item: item[0].order))

    def images(self, view: REALYView = "frontal") -> list[REALYImage]:
        """List the images of a view that have a photograph.

        Raises:
            MGCError: if the view is unknown, or has none.
        """
        check_choice("view", view, REALYView)
        images = [image for image in self.photo_files if image.view == view]
        if not images:
            expected = "<subject>.jpg" if view == "frontal" else "<subject>_<view>.jpg"
            raise MGCError(f"{self.photos}: expected {view} images {expected}, found none")
        return images

    def scale(self, subject: int) -> float:
        """Give the millimetres per model unit of a subject.

        Raises:
            MGCError: if the file has no line for it.
        """
        if not 1 <= subject <= len(self.scales):
            raise MGCError(
                f"{self.root / SCALES}: no scale for subject {subject}; it has lines for subjects 1 to "
                f"{len(self.scales)}"
            )
        return float(self.scales[subject - 1])

    def scan_files(self, subject: int) -> tuple[Path, ...]:
        """Find the files of a subject: keypoints, then the regions in the order of `REGIONS`.

        Raises:
            MGCError: if one is missing.
        """
        folder = self.root / REGION_SCANS / str(subject)
        files = (self.root / KEYPOINTS / f"{subject}.obj", *(folder / f"{name}.obj" for name in REGIONS))
        absent = [file for file in files if not file.is_file()]
        if absent:
            raise MGCError(f"{absent[0]}: no such file of subject {subject}")
        return files

    def scan(self, subject: int) -> REALYScan:
        """Read one subject.

        Raises:
            MGCError: if a file is missing or malformed, the keypoints are not 85, the subject has no scale, or
                the lengths cannot be model units.
        """
        scale = self.scale(subject)
        path, *region_paths = self.scan_files(subject)
        keypoints = read_mesh(path, require_faces=False).verts.astype(np.float32)
        if len(keypoints) != KEYPOINT_COUNT:
            raise MGCError(f"{path}: expected {KEYPOINT_COUNT} keypoints, got {len(keypoints)}")
        _check_unit(path, keypoints, scale)
        regions = {name: _region(file) for name, file in zip(REGIONS, region_paths, strict=True)}
        return REALYScan(subject, keypoints, regions, scale)

    def photo_file(self, image: REALYImage) -> Path:
        """Find the photograph of an image.

        Raises:
            MGCError: if there is none.
        """
        if image not in self.photo_files:
            raise MGCError(f"{self.photos / image.name}.jpg: no such file")
        return self.photo_files[image]

    def landmark_file(self, image: REALYImage) -> Path:
        """Find the landmarks, or the box, of an image.

        Raises:
            MGCError: if there are none.
        """
        if not self.landmarks.is_dir():
            raise MGCError(
                f"{self.landmarks}: no such folder; expected <image>.txt with 5 or 68 landmarks or a box x0 y0 x1 y1 "
                "for each image (REALY itself comes without)"
            )
        return find_landmarks(self.landmarks, self.photo_file(image))


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
