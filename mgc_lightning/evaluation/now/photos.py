"""Photographs of NoW as aligned crops, by their detected boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.arguments.checked import check_value
from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage
from mgc_lightning.evaluation.photo_sets import BenchmarkPhotos
from mgc_lightning.evaluation.settings import BoxScale
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.photographs.box import similarity_from_box
from mgc_lightning.photographs.plausible import check_plausible_box


class NoWPhotos(BenchmarkPhotos):
    """Read photographs and lay their boxes on the box of the mean face; a map-style data set.

    Args:
        dataset: where they are.
        images: which.
        face_model: whose mean face.
        image_size: side of the crops in px.
        box_scale: enlarges the boxes about their centres, for detectors that draw them otherwise than from the
            hairline to the chin.
    """

    def __init__(
        self,
        dataset: NoWDataset,
        images: Sequence[NoWImage],
        face_model: FaceModel,
        image_size: int,
        box_scale: float = 1.0,
    ) -> None:
        check_value("box_scale", box_scale, BoxScale)
        super().__init__(images, face_model, image_size)
        self.dataset, self.images, self.box_scale = dataset, images, box_scale

    def photo_file(self, index: int) -> Path:
        """Find a photograph."""
        return self.dataset.photo_file(self.images[index])

    def crop_from_image(self, index: int, photo: Float[Tensor, "3 H W"]) -> Float[Tensor, "2 3"]:
        """Give the similarity from a photograph to its crop, px.

        Raises:
            MGCError: if its box cannot hold a face of it.
        """
        file = self.dataset.box_file(self.images[index])
        box = check_plausible_box(self.box(index), *photo.shape[-2:], name=str(file))
        return similarity_from_box(box, self.target)

    def box(self, index: int) -> Float[Tensor, " 4"]:
        """Give the detected box x0, y0, x1, y1 of a photograph, px, enlarged."""
        box = torch.from_numpy(self.dataset.box(self.images[index])).float()
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * self.box_scale
        return torch.cat([centre - half, centre + half])
