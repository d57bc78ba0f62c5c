"""The NoW data set in its official layouts: the evaluator's folder, and the tree of photographs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.evaluation.now.boxes import read_detected_box
from mgc_lightning.evaluation.origin import is_synthetic
from mgc_lightning.evaluation.settings import NoWSplit
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.names import safe_name
from mgc_lightning.files.plain_obj import parse_vertices
from mgc_lightning.files.reading import excerpt
from mgc_lightning.files.text import read_text, short
from mgc_lightning.metrics.now.landmarks import as_landmarks
from mgc_lightning.metrics.now.names import Challenge
from mgc_lightning.metrics.now.scan import NoWScan, crop_scan

SCANS, LANDMARKS = "scans", "scans_lmks_onlypp"
PHOTOS, BOXES = "iphone_pictures", "detected_face"
PHOTO_ROOTS = (".", "final_release_version", "NoW_Dataset/final_release_version")
"""Where the tree of photographs may lie below a given folder."""

_POINT = re.compile(r"<point\b([^>]*)>")
_COORDINATE = re.compile(r"\b([xyz])=\"([^\"]*)\"")


@dataclass(frozen=True)
class NoWImage:
    """Name an image of the list; only the last three parts of its path count.

    Attributes:
        subject: folder of the person.
        challenge: folder of the challenge.
        file: name of the photograph.
        line: the line of the list, as it stands there.

    Example:
        >>> image = NoWImage("anna", "selfie", "1.jpg", line="iphone_pictures/anna/selfie/1.jpg")
        >>> image.name, image.stem.as_posix()
        ('anna/selfie/1.jpg', 'anna/selfie/1')
    """

    subject: str
    challenge: str
    file: str
    line: str

    @property
    def name(self) -> str:
        """SUBJECT/CHALLENGE/FILE."""
        return f"{self.subject}/{self.challenge}/{self.file}"

    @property
    def stem(self) -> Path:
        """SUBJECT/CHALLENGE/ and the file without its last four characters."""
        return Path(self.subject, self.challenge, self.file[:-4])


class NoWDataset:
    r"""Find and read what belongs to the images of a NoW data set.

    Args:
        root: the evaluator's folder: `imagepathsvalidation.txt` or `imagepathstest.txt`, `scans/<SUBJECT>/*.obj` and
            `scans_lmks_onlypp/<SUBJECT>/*.pp`.
        photos: the downloaded tree with `iphone_pictures/` and `detected_face/`; looked for in `root` if not given.

    Raises:
        MGCError: if `root` is no folder.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> _ = (root / "imagepathsvalidation.txt").write_text("anna/selfie/1.jpg\nanna/multiview_neutral/2.jpg\n")
        >>> [image.name for image in NoWDataset(root).images("validation", challenge="selfie")]
        ['anna/selfie/1.jpg']
    """

    def __init__(self, root: str | Path, photos: str | Path | None = None) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise MGCError(f"{self.root}: no such folder; expected a NoW data set")
        self.photos = Path(photos) if photos is not None else None

    @property
    def synthetic(self) -> bool:
        """Whether `mgc synthesize` wrote it: no published score is comparable with one on it."""
        return is_synthetic(self.root)

    def images(self, split: NoWSplit = "validation", challenge: Challenge | None = None) -> list[NoWImage]:
        """List the images of a split, of one challenge or of all.

        Raises:
            MGCError: if there is no such split, challenge or list, a line is not SUBJECT/CHALLENGE/FILE, or no image is
                of the challenge.
        """
        check_choice("split", split, NoWSplit)
        if challenge is not None:
            check_choice("challenge", challenge, Challenge)
        path = self.root / f"imagepaths{split}.txt"
        images = read_image_list(path)
        if challenge is None:
            return images
        chosen = [image for image in images if image.challenge == challenge]
        if not chosen:
            found = sorted({image.challenge for image in images})
            raise MGCError(f"{path}: no image of challenge {challenge!r}; it has {', '.join(found)}")
        return chosen

    def scan_files(self, subject: str) -> tuple[Path, Path]:
        """Find the scan and the landmarks of a subject: the first file of each, by name.

        Raises:
            MGCError: if one is missing.
        """
        found = []
        for folder, pattern in ((SCANS, "*.obj"), (LANDMARKS, "*.pp")):
            files = sorted((self.root / folder / subject).glob(pattern))
            if not files:
                raise MGCError(
                    f"{self.root / folder / subject}: expected a file {pattern} of subject {subject}. Scans and their "
                    "landmarks come from the NoW site after registration"
                )
            found.append(files[0])
        return found[0], found[1]

    def scan(self, subject: str) -> NoWScan:
        """Read and crop the scan of a subject; cropped scans (half a megabyte) are remembered."""
        return _cropped(*self.scan_files(subject))

    def photo_file(self, image: NoWImage) -> Path:
        """Find the photograph of an image."""
        return self._in_photos(PHOTOS, image.name)

    def box_file(self, image: NoWImage) -> Path:
        """Find the detected box of an image."""
        return self._in_photos(BOXES, f"{image.stem}.npy")

    def box(self, image: NoWImage) -> Float[NDArray, " 4"]:
        """Read the detected box x0, y0, x1, y1 of an image, px of its photograph."""
        return read_detected_box(self.box_file(image))

    def _in_photos(self, folder: str, name: str) -> Path:
        base = self.photos or self.root
        for root in PHOTO_ROOTS:
            path = base / root / folder / name
            if path.is_file():
                return path
        hint = "" if self.photos else "; photographs may lie elsewhere: give their folder as `photos`"
        raise MGCError(f"{base / folder / name}: no such file{hint}")


def read_image_list(path: str | Path) -> list[NoWImage]:
    """Read an official image list.

    Raises:
        MGCError: if it is missing, empty, or a line does not end in SUBJECT/CHALLENGE/FILE.xyz.
    """
    path = Path(path)
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("imagepaths*.txt"))
        hint = f"; there is {', '.join(others)}: choose that split" if others else ""
        raise MGCError(
            f"{path}: no such image list; a NoW data set has imagepathsvalidation.txt or imagepathstest.txt{hint}"
        )
    images = list(_parse_lines(path, read_text(path, torn=True).splitlines()))
    if not images:
        raise MGCError(f"{path}: the image list is empty")
    return images


def _parse_lines(path: Path, lines: list[str]) -> Iterator[NoWImage]:
    for number, line in enumerate(lines, start=1):
        parts = line.strip().replace("\\", "/").split("/")
        if len(parts) < 3 or not all(parts[-3:]):
            raise MGCError(f"{path}, line {number}: expected SUBJECT/CHALLENGE/FILE, got {short(line)}")
        if len(parts[-1]) < 5 or parts[-1][-4] != ".":
            raise MGCError(
                f"{path}, line {number}: expected a file name with a suffix of three letters (the evaluator cuts four "
                f"characters), got {short(parts[-1])}"
            )
        # Only the last three count: what a path leads through before them is of the writer's machine.
        subject, challenge, file = safe_name("/".join(parts[-3:]), f"{path}, line {number}", nested=True).split("/")
        yield NoWImage(subject, challenge, file, line.strip())


def read_picked_points(path: str | Path) -> Float[NDArray, "7 3"]:
    """Read the seven landmarks of a MeshLab `.pp` file, float32, in the order of the file (names are ignored).

    Raises:
        MGCError: if there are not seven points with x, y and z.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "scan.pp"
        >>> _ = path.write_text("".join(f'<point x="{x}" y="0" z="9" active="1"/>' for x in range(7)))
        >>> read_picked_points(path)[6].tolist()
        [6.0, 0.0, 9.0]
    """
    path = Path(path)
    points = []
    for attributes in _POINT.findall(read_text(path, others="replace")):
        found = dict(_COORDINATE.findall(attributes))
        try:
            points.append([float(found[axis]) for axis in "xyz"])
        except (KeyError, ValueError) as error:
            raise MGCError(
                f"{path}: expected points with numbers x, y and z, got <point{excerpt(attributes)}>"
            ) from error
    if len(points) != 7:
        raise MGCError(f"{path}: expected 7 picked points, found {len(points)}")
    return as_landmarks(np.array(points, np.float32), str(path))


@lru_cache(maxsize=128)
def _cropped(scan: Path, landmarks: Path) -> NoWScan:
    data = scan.read_bytes()
    verts = parse_vertices(data)
    if verts is None or not len(verts):
        verts = read_mesh(scan, require_faces=False).verts
    return crop_scan(verts[:, :3], read_picked_points(landmarks), str(scan))
