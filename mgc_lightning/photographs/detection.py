"""Face detectors: what they give, and landmarks that are given in files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.photographs.companions import companion_places
from mgc_lightning.photographs.conventions import slides, to_ibug
from mgc_lightning.photographs.landmark_files import SUFFIXES, read_landmarks
from mgc_lightning.photographs.plausible import check_plausible_landmarks
from mgc_lightning.photographs.settings import Convention


@dataclass(frozen=True)
class DetectedFace:
    """Hold one face of a photograph.

    Attributes:
        landmarks: (68, 2) px of the photograph, iBUG order, pixel centres at +.5.
        score: confidence that this is a face, in [0, 1].
        confidence: (68,) confidence of each landmark in [0, 1], where the detector knows it.
        convention: whose points they are; `detect_shrunk` turns them into iBUG's.
        mesh: (468, 2) px of the photograph, vertices of MediaPipe's face mesh, from a detector that has it: it says
            more of a face's shape than 68 points.

    Example:
        >>> square = torch.tensor([[10.0, 20.0], [40.0, 60.0]]).repeat(34, 1)
        >>> DetectedFace(square).size  # half the perimeter of a box of 30 x 40 px
        70.0
    """

    landmarks: Float[Tensor, "68 2"]
    score: float = 1.0
    confidence: Float[Tensor, " 68"] | None = None
    convention: Convention = "ibug"
    mesh: Float[Tensor, "468 2"] | None = None

    def in_ibug(self) -> DetectedFace:
        """Give the face with iBUG's points: of its convention only the kind of the jaw remains."""
        points = to_ibug(self.landmarks, self.convention)
        return replace(self, landmarks=points, convention="ibug-2d" if slides(self.convention) else "ibug")

    def scaled(self, scale: Float[Tensor, " 2"]) -> DetectedFace:
        """Give the face in a picture that is `scale` (x, y) times as large."""
        mesh = None if self.mesh is None else self.mesh * scale
        return replace(self, landmarks=self.landmarks * scale, mesh=mesh)

    @property
    def size(self) -> float:
        """Half the perimeter of the landmarks' box in px; MGCNet takes the face that has the largest."""
        return float((self.landmarks.amax(0) - self.landmarks.amin(0)).sum())


class FaceDetector(Protocol):
    """Find faces with their 68 landmarks.

    A detector that looks at photographs of any size itself says so by an attribute `whole = True`; others get them
    shrunk.
    """

    def detect(self, image: Float[Tensor, "3 H W"], path: Path | None = None) -> list[DetectedFace]:
        """Give the faces of an image, RGB in [0, 1], in any order.

        Args:
            image: (3, H, W).
            path: where it came from, for detectors that look something up.

        Raises:
            MGCError: if this image cannot be served.
        """
        ...


class LandmarkFolder:
    r"""Take landmarks from files: one a photograph, of its relative path or its stem, `.pts`, `.txt` or `.npy`.

    Args:
        folder: of the files; `folder/anna/1.pts` serves `photos/anna/1.jpg`, and so does `folder/1.pts`.
        root: of the photographs.
        convention: whose points they are.

    Raises:
        MGCError: if the folder does not exist, or the convention is unknown.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "anna.txt").write_text("\n".join(f"{u},{v}" for u, v in TEMPLATE_68))
        >>> detector, image = LandmarkFolder(folder), torch.zeros(3, 224, 224)
        >>> [len(detector.detect(image, Path(f"photos/{name}.jpg"))) for name in ("anna", "ben")]  # no file, no face
        [1, 0]
    """

    whole = True

    def __init__(self, folder: str | Path, root: str | Path | None = None, convention: Convention = "ibug") -> None:
        folder = Path(folder)
        root = None if root is None else Path(root)
        if not folder.is_dir():
            raise MGCError(f"{folder}: no such folder of landmarks")
        check_choice("convention", convention, Convention)
        self.folder, self.root, self.convention = folder, root, convention

    def detect(self, image: Float[Tensor, "3 H W"], path: Path | None = None) -> list[DetectedFace]:
        """Read the landmarks of a photograph; no file means no face.

        Raises:
            MGCError: if they cannot be those of a face in this photograph.
        """
        if path is None:
            raise MGCError("Landmarks in files need the photograph's path")
        file = self.find(path)
        if file is None:
            return []
        points = check_plausible_landmarks(read_68(file), *image.shape[-2:], name=str(file))
        return [DetectedFace(points, convention=self.convention)]

    def find(self, path: str | Path) -> Path | None:
        """Find the file of a photograph."""
        path = Path(path)
        places = companion_places(self.folder, path, self.root, SUFFIXES)
        return next((place for place in places if place.is_file()), None)


def read_68(file: str | Path) -> Float[Tensor, "68 2"]:
    """Read a file of 68 landmarks.

    Raises:
        MGCError: if it has five, or cannot be read.
    """
    file = Path(file)
    points = read_landmarks(file)
    if len(points) != 68:
        raise MGCError(f"{file}: training samples need 68 landmarks, got {len(points)}")
    return points


def largest_first(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Sort faces by size, the largest first.

    Example:
        >>> small = DetectedFace(torch.tensor([[0.0, 0.0], [10.0, 10.0]]).repeat(34, 1))
        >>> large = DetectedFace(10 * small.landmarks)
        >>> [face.size for face in largest_first([small, large])]
        [200.0, 20.0]
    """
    return sorted(faces, key=lambda face: -face.size)


LIMIT = 900
"""Longest side in px to which MGCNet shrinks photographs for its detector."""


def detect_shrunk(
    detector: FaceDetector, image: Float[Tensor, "3 H W"], path: Path | None = None, limit: int = LIMIT
) -> list[DetectedFace]:
    """Detect in an image shrunk to a longest side of `limit` px, as MGCNet does; iBUG's points in px of the original.

    Where no face is found in a larger photograph it is looked at once more at twice that side: faces of 90 px, in a
    group that a camera of 12 megapixels took, are 20 px at the first look.

    Here a detector's points enter, and become iBUG's. A `LandmarkFolder`, and a detector that is `whole`, see the
    original.

    Example:
        >>> class Middle:
        ...     def detect(self, image, path=None):
        ...         side = image.shape[-1]
        ...         return [DetectedFace(torch.rand(68, 2) + side / 2)]
        >>> found = detect_shrunk(Middle(), torch.zeros(3, 1200, 1800))  # looked at in 900 px
        >>> found[0].landmarks.mean(0).round(decimals=-2)  # px of the photograph
        tensor([900., 900.])
    """
    longest = max(image.shape[-2:])
    if longest <= limit or getattr(detector, "whole", False):
        return largest_first([face.in_ibug() for face in detector.detect(image, path)])
    faces = _detect_at(detector, image, path, limit)
    if not faces and longest > 1.25 * limit:
        faces = _detect_at(detector, image, path, min(2 * limit, longest))
    return largest_first(faces)


def _detect_at(
    detector: FaceDetector, image: Float[Tensor, "3 H W"], path: Path | None, limit: int
) -> list[DetectedFace]:
    height, width = image.shape[-2:]
    factor = limit / max(height, width)
    size = [max(1, round(height * factor)), max(1, round(width * factor))]
    small = torch.nn.functional.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0].clamp(0, 1)
    scale = torch.tensor([width / size[1], height / size[0]])
    faces = detector.detect(small, path)
    return [face.scaled(scale).in_ibug() for face in faces]
