"""Photographs of the REALY data set as aligned crops, by their landmarks or boxes."""

from __future__ import annotations

from pathlib import Path

import lightning as L
from torch.utils.data import DataLoader

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.photo_sets import collate
from mgc_lightning.evaluation.realy.dataset import REALYDataset
from mgc_lightning.evaluation.realy.photos import RealyPhotos
from mgc_lightning.evaluation.realy.predictions import subject_of
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.metrics.realy.scan import REALYScan
from mgc_lightning.structures import AlignedPhotos


class REALYDataModule(L.LightningDataModule):
    """Load REALY for testing: `lightning test` with `callbacks.REALYBenchmark` scores it.

    Args:
        dataset: folder with `REALY_HIFI3D_keypoints/`, `REALY_scan_region/` and `metrical_scale.txt`.
        images: folder of `<subject>.jpg` (frontal) and `<subject>_<view>.jpg` (side); `REALY_image/` in the data set
            if not given.
        landmarks: folder with the landmarks or the box of each image; `REALY_landmarks/` in the data set if not given.
        view: `frontal` or `side`.
        subset: this many images, evenly over the list; all if not given.
        image_size: side of the crops in px; callbacks take the network's.
        face_model: whose mean face is laid on boxes; callbacks take the network's.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.

    Attributes:
        names: of the images that are scored, in the official order.

    Raises:
        MGCError: if the data set, or an image, its landmarks or its scan is missing.
    """

    def __init__(
        self,
        dataset: Path,
        images: Path | None = None,
        landmarks: Path | None = None,
        view: str = "frontal",
        subset: int | None = None,
        image_size: int = 224,
        face_model: str = EMBEDDED,
        batch_size: int = 16,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.view = view
        self.scans = REALYDataset(Path(dataset))
        model = load_face_model(face_model)
        self.photos = RealyPhotos(self.scans.root, model, image_size, images, landmarks, view, subset)
        self.names = self.photos.names
        self.batch_size, self.num_workers = batch_size, num_workers
        self.check_scans()

    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: its face model and its size."""
        self.photos.align_to(face_model, image_size)

    def check_scans(self) -> None:
        """Make sure that every image has the scan of its subject.

        Raises:
            MGCError: for the first that is missing.
        """
        for name, path in zip(self.names, self.photos.paths, strict=True):
            absent = [file for file in self.scans.files(subject_of(name)) if not file.is_file()]
            if absent:
                raise MGCError(f"{path}: there is no scan of its subject: {absent[0]} is missing")

    def scan(self, index: int) -> REALYScan:
        """Read the scan of an image's subject."""
        return self.scans.load(subject_of(self.names[index]))

    def test_dataloader(self) -> DataLoader[AlignedPhotos]:
        """Load this process's share of the photographs."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return self.loader(rank, world_size)

    def predict_dataloader(self) -> DataLoader[AlignedPhotos]:
        """Load this process's share of the photographs."""
        return self.test_dataloader()

    def loader(self, rank: int = 0, world_size: int = 1) -> DataLoader[AlignedPhotos]:
        """Load the share of one process; shares may differ by one image, none is repeated."""
        return DataLoader(
            self.photos,
            batch_size=self.batch_size,
            sampler=range(rank, len(self.names), world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
        )
