"""Photographs of benchmarks as aligned crops: what the data sets share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from mgc_lightning.errors import check_count
from mgc_lightning.evaluation.journal import Named
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.photographs.box import mean_face_box
from mgc_lightning.photographs.crop import warp_to_crop
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.structures import AlignedPhotos

T = TypeVar("T")


class BenchmarkPhotos(Dataset[AlignedPhotos]):
    """Crop photographs for a network; a map-style data set.

    Args:
        images: which.
        face_model: whose mean face is laid on boxes.
        image_size: side of the crops in px.
    """

    def __init__(self, images: Sequence[Named], face_model: FaceModel, image_size: int) -> None:
        self.names = [image.name for image in images]
        self.target = mean_face_box(face_model, image_size).cpu()
        self.image_size = image_size

    @abstractmethod
    def photo_file(self, index: int) -> Path:
        """Find a photograph."""

    @abstractmethod
    def crop_from_image(self, index: int, photo: Float[Tensor, "3 H W"]) -> Float[Tensor, "2 3"]:
        """Give the similarity from a photograph to its crop, px.

        Raises:
            MGCError: if its landmarks or its box cannot be those of a face in it.
        """

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> AlignedPhotos:
        photo = read_photo(self.photo_file(index))
        matrix = self.crop_from_image(index, photo)
        crop = warp_to_crop(photo[None], matrix[None], self.image_size, antialias=True).clamp(0, 1)
        return AlignedPhotos(crop, torch.tensor([index]), [self.names[index]])


def evenly(items: list[T], number: int | None) -> list[T]:
    """Choose a number of items, evenly over the list; all of them for None.

    Raises:
        MGCError: if the number is not positive.

    Example:
        >>> evenly(["a", "b", "c", "d", "e"], 3)
        ['a', 'c', 'e']
    """
    if number is None:
        return items
    check_count("subset", number)
    if number >= len(items):
        return items
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, number).round()]


def collate(samples: Sequence[AlignedPhotos]) -> AlignedPhotos:
    """Put photographs into one batch.

    Example:
        >>> a = AlignedPhotos(torch.zeros(1, 3, 8, 8), torch.tensor([4]), ["4.jpg"])
        >>> b = AlignedPhotos(torch.ones(1, 3, 8, 8), torch.tensor([7]), ["7.jpg"])
        >>> batch = collate([a, b])
        >>> batch.images.shape, batch.index.tolist(), batch.names
        (torch.Size([2, 3, 8, 8]), [4, 7], ['4.jpg', '7.jpg'])
    """
    return AlignedPhotos(
        torch.cat([sample.images for sample in samples]),
        torch.cat([sample.index for sample in samples]),
        [name for sample in samples for name in sample.names],
    )
