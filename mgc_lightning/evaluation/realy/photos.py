"""Photographs of REALY as aligned crops, by their landmarks or boxes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.photo_sets import evenly
from mgc_lightning.evaluation.realy.dataset import IMAGES_FOLDER, LANDMARKS_FOLDER
from mgc_lightning.evaluation.realy.images import list_images
from mgc_lightning.evaluation.realy.predictions import VIEWS
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.photographs.box import mean_face_box, similarity_from_box
from mgc_lightning.photographs.crop import five_points, similarity_to_template, warp_to_crop
from mgc_lightning.photographs.landmark_files import find_landmarks, read_landmarks
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.structures import AlignedPhotos


class RealyPhotos(Dataset[AlignedPhotos]):
    """Crop the photographs of a view by the landmarks, or the box, of each; a map-style data set.

    Args:
        dataset: folder of the data set.
        face_model: whose mean face is laid on boxes.
        image_size: side of the crops in px.
        images: folder of `<subject>.jpg` (frontal) and `<subject>_<view>.jpg` (side); `REALY_image/` in the data set
            if not given.
        landmarks: folder with a file `<name>.txt`, `.npy` or `.pts` for each: 5 or 68 landmarks, or in a `.txt` a box
            `x0 y0 x1 y1`, hairline to chin, px of the photograph; `REALY_landmarks/` in the data set if not given.
        view: `frontal` or `side`.
        subset: this many photographs, evenly over the list; all if not given.

    Attributes:
        names: in the official order.
        paths: of the photographs.

    Raises:
        MGCError: if the view is unknown, or there are no photographs, or one has no landmarks.
    """

    def __init__(
        self,
        dataset: Path,
        face_model: FaceModel,
        image_size: int,
        images: Path | None = None,
        landmarks: Path | None = None,
        view: str = "frontal",
        subset: int | None = None,
    ) -> None:
        if view not in VIEWS:
            raise MGCError(f"Expected view to be one of {VIEWS}, got {view!r}")
        folder = Path(images or dataset / IMAGES_FOLDER)
        photos = list_images(folder, view)
        if not photos:
            expected = "<subject>.jpg" if view == "frontal" else "<subject>_<view>.jpg"
            raise MGCError(f"{folder}: expected {view} images {expected}, found none")
        self.names = evenly(list(photos), subset)
        self.paths = [photos[name] for name in self.names]
        self.landmark_files = _landmark_files(Path(landmarks or dataset / LANDMARKS_FOLDER), self.paths)
        self.align_to(face_model, image_size)

    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: its face model and its size in px."""
        self.target, self.image_size = mean_face_box(face_model, image_size).cpu(), image_size

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> AlignedPhotos:
        photo = read_photo(self.paths[index])
        matrix = self.crop_from_image(index)
        crop = warp_to_crop(photo[None], matrix[None], self.image_size, antialias=True).clamp(0, 1)
        return AlignedPhotos(crop, torch.tensor([index]), [self.names[index]])

    def crop_from_image(self, index: int) -> Tensor:
        """Give the similarity (2, 3) from a photograph to its crop, px."""
        file = self.landmark_files[index]
        box = _read_box(file)
        if box is not None:
            return similarity_from_box(box, self.target)
        points = read_landmarks(file)
        return similarity_to_template(points if len(points) == 5 else five_points(points), self.image_size)


def _landmark_files(folder: Path, photos: list[Path]) -> list[Path]:
    if not folder.is_dir():
        raise MGCError(
            f"{folder}: no such folder; expected <image>.txt with 5 or 68 landmarks or a box x0 y0 x1 y1 for each "
            "image (REALY itself comes without)"
        )
    return [find_landmarks(folder, photo) for photo in photos]


def _read_box(file: Path) -> Tensor | None:
    """Read a box where a text file holds four numbers and no more."""
    if file.suffix.lower() != ".txt":
        return None
    words = file.read_text(encoding="utf-8", errors="replace").replace(",", " ").split()
    if len(words) != 4:
        return None
    try:
        return torch.tensor([float(word) for word in words])
    except ValueError as error:
        raise MGCError(f"{file}: expected landmarks or a box x0 y0 x1 y1 ({error})") from error
