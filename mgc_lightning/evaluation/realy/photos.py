"""Photographs of REALY as aligned crops, by their landmarks or boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.photo_sets import BenchmarkPhotos
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.reading import reason
from mgc_lightning.files.text import read_text
from mgc_lightning.photographs.box import similarity_from_box
from mgc_lightning.photographs.crop import five_points, similarity_to_template
from mgc_lightning.photographs.landmark_files import read_landmarks
from mgc_lightning.photographs.plausible import check_plausible_box, check_plausible_landmarks


class REALYPhotos(BenchmarkPhotos):
    """Crop photographs by the landmarks, or the box, of each; a map-style data set.

    Args:
        dataset: where they are.
        images: which.
        face_model: whose mean face is laid on boxes.
        image_size: side of the crops in px.
    """

    def __init__(
        self, dataset: REALYDataset, images: Sequence[REALYImage], face_model: FaceModel, image_size: int
    ) -> None:
        super().__init__(images, face_model, image_size)
        self.dataset, self.images = dataset, images

    def photo_file(self, index: int) -> Path:
        """Find a photograph."""
        return self.dataset.photo_file(self.images[index])

    def crop_from_image(self, index: int, photo: Float[Tensor, "3 H W"]) -> Float[Tensor, "2 3"]:
        """Give the similarity from a photograph to its crop, px.

        Raises:
            MGCError: if its landmarks or its box cannot be those of a face in it.
        """
        file = self.dataset.landmark_file(self.images[index])
        box = _read_box(file)
        if box is not None:
            return similarity_from_box(check_plausible_box(box, *photo.shape[-2:], name=str(file)), self.target)
        points = check_plausible_landmarks(read_landmarks(file), *photo.shape[-2:], name=str(file))
        return similarity_to_template(points if len(points) == 5 else five_points(points), self.image_size)


def _read_box(file: Path) -> Tensor | None:
    """Read a box where a text file holds four numbers and no more."""
    if file.suffix.lower() != ".txt":
        return None
    words = read_text(file, others="replace").replace(",", " ").split()
    if len(words) != 4:
        return None
    try:
        return torch.tensor([float(word) for word in words])
    except ValueError as error:
        raise MGCError(f"{file}: expected landmarks or a box x0 y0 x1 y1 ({reason(error)})") from error
