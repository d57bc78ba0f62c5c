"""Photographs of NoW as aligned crops, by their detected boxes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.photographs.box import mean_face_box, similarity_from_box
from mgc_lightning.photographs.crop import warp_to_crop
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.structures import AlignedPhotos


class NoWPhotos(Dataset[AlignedPhotos]):
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
        self.dataset, self.images = dataset, images
        self.target = mean_face_box(face_model, image_size).cpu()
        self.image_size, self.box_scale = image_size, box_scale

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> AlignedPhotos:
        image = self.images[index]
        photo = read_photo(self.dataset.photo_file(image))
        matrix = similarity_from_box(self._box(image), self.target)
        crop = warp_to_crop(photo[None], matrix[None], self.image_size, antialias=True).clamp(0, 1)
        return AlignedPhotos(crop, torch.tensor([index]), [image.name])

    def _box(self, image: NoWImage) -> Float[Tensor, " 4"]:
        box = torch.from_numpy(self.dataset.box(image)).float()
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * self.box_scale
        return torch.cat([centre - half, centre + half])
