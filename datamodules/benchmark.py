"""What data modules of benchmarks have in common: photographs as crops for a network, shared by processes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import lightning as L
from torch.utils.data import DataLoader

from datamodules.ranks import rank_of
from mgc_lightning.evaluation.photo_sets import BenchmarkPhotos, collate
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.structures import AlignedPhotos
from mgc_lightning.training.loader_memory import end_where_nothing_can_be_sent


class BenchmarkDataModule(L.LightningDataModule):
    """Load the photographs of a benchmark for testing.

    Args:
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.

    Attributes:
        dataset: gives the scan of a subject, and the files of one.
        images: those that are scored, in the order of the data set.
        photos: their crops, for the network that `align_to` was given last.
    """

    dataset: Any
    images: Sequence[Any]
    photos: BenchmarkPhotos

    def __init__(self, batch_size: int, num_workers: int) -> None:
        super().__init__()
        self.batch_size, self.num_workers = batch_size, num_workers

    @property
    def names(self) -> list[str]:
        """Names of the images."""
        return [image.name for image in self.images]

    def check_files(self) -> None:
        """Make sure that every image has the scan of its subject, and all its own files.

        Raises:
            MGCError: for the first that is missing.
        """
        for subject in dict.fromkeys(image.subject for image in self.images):
            self.dataset.scan_files(subject)
        for image in self.images:
            self.check_image(image)

    @abstractmethod
    def check_image(self, image: Any) -> None:
        """Make sure that an image has all its files."""

    @abstractmethod
    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: for its face model's mean face, at its size in px."""

    def scan(self, index: int) -> Any:
        """Read the scan of an image's subject."""
        return self.dataset.scan(self.images[index].subject)

    def test_dataloader(self) -> DataLoader[AlignedPhotos]:
        """Load this process's share of the photographs."""
        return self.loader(*rank_of(self))

    def predict_dataloader(self) -> DataLoader[AlignedPhotos]:
        """Load this process's share of the photographs."""
        return self.test_dataloader()

    def loader(self, rank: int = 0, world_size: int = 1) -> DataLoader[AlignedPhotos]:
        """Load the share of one process; shares may differ by one image, none is repeated."""
        return DataLoader(
            self.photos,
            batch_size=self.batch_size,
            sampler=range(rank, len(self.images), world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=end_where_nothing_can_be_sent,
        )
