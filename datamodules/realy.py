"""Photographs of the REALY data set as aligned crops, by their landmarks or boxes."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.metrics.realy.images import list_images
from mgc_lightning.metrics.realy.predictions import VIEWS, subject_of
from mgc_lightning.metrics.realy.scans import IMAGES_FOLDER, LANDMARKS_FOLDER, RealyScan, RealyScans
from mgc_lightning.preprocessing.box import mean_face_box, similarity_from_box
from mgc_lightning.preprocessing.crop import five_points, similarity_to_template, warp_to_crop
from mgc_lightning.preprocessing.landmark_files import find_landmarks, read_landmarks
from mgc_lightning.preprocessing.photos import read_photo
from mgc_lightning.structures import AlignedPhotos


class RealyPhotos(Dataset[AlignedPhotos]):
    """Crop photographs by the landmarks, or the box, of each.

    Args:
        photos: path of each photograph by name.
        places: folder with a file `<name>.txt`, `.npy` or `.pts` each: 5 or 68 landmarks, or in a `.txt` a box
            `x0 y0 x1 y1`, hairline to chin; px of the photograph.
        target: (4,) box of the mean face in px of the crop.
        image_size: side of the crops in px.
    """

    def __init__(self, photos: dict[str, Path], places: Path, target: Tensor, image_size: int) -> None:
        self.names, self.paths = list(photos), list(photos.values())
        self.places, self.target, self.image_size = places, target, image_size

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> AlignedPhotos:
        photo = read_photo(self.paths[index])
        matrix = self.crop_from_image(index)
        crop = warp_to_crop(photo[None], matrix[None], self.image_size, antialias=True).clamp(0, 1)
        return AlignedPhotos(crop, torch.tensor([index]), [self.names[index]])

    def crop_from_image(self, index: int) -> Tensor:
        """Give the similarity (2, 3) from a photograph to its crop, px."""
        file = find_landmarks(self.places, self.paths[index])
        box = _read_box(file)
        if box is not None:
            return similarity_from_box(box, self.target)
        points = read_landmarks(file)
        return similarity_to_template(points if len(points) == 5 else five_points(points), self.image_size)


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
        if view not in VIEWS:
            raise MGCError(f"Expected view to be one of {VIEWS}, got {view!r}")
        self.view = view
        self.scans = RealyScans(Path(dataset))
        folder = Path(images or self.scans.root / IMAGES_FOLDER)
        photos = list_images(folder, view)
        if not photos:
            expected = "<subject>.jpg" if view == "frontal" else "<subject>_<view>.jpg"
            raise MGCError(f"{folder}: expected {view} images {expected}, found none")
        self.names = _evenly(list(photos), subset)
        places = Path(landmarks or self.scans.root / LANDMARKS_FOLDER)
        chosen = {name: photos[name] for name in self.names}
        self.photos = RealyPhotos(chosen, places, *_frame(load_face_model(face_model), image_size))
        self.batch_size, self.num_workers = batch_size, num_workers
        self.check_files(places)

    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: its face model and its size."""
        self.photos.target, self.photos.image_size = _frame(face_model, image_size)

    def check_files(self, places: Path) -> None:
        """Make sure that every image has landmarks and a scan.

        Raises:
            MGCError: for the first that is missing.
        """
        if not places.is_dir():
            raise MGCError(
                f"{places}: no such folder; expected <image>.txt with 5 or 68 landmarks or a box x0 y0 x1 y1 for each "
                "image (REALY itself comes without)"
            )
        for name, path in zip(self.names, self.photos.paths, strict=True):
            find_landmarks(places, path)
            absent = [file for file in self.scans.files(subject_of(name)) if not file.is_file()]
            if absent:
                raise MGCError(f"{path}: there is no scan of its subject: {absent[0]} is missing")

    def scan(self, index: int) -> RealyScan:
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
            collate_fn=_collate,
        )


def _frame(face_model: FaceModel, image_size: int) -> tuple[Tensor, int]:
    return mean_face_box(face_model, image_size).cpu(), image_size


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


def _evenly(names: list[str], number: int | None) -> list[str]:
    if number is None or number >= len(names):
        return names
    if number < 1:
        raise MGCError(f"Expected subset to be at least 1, got {number}")
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, number).round()]


def _collate(samples: list[AlignedPhotos]) -> AlignedPhotos:
    return AlignedPhotos(
        torch.cat([sample.images for sample in samples]),
        torch.cat([sample.index for sample in samples]),
        [name for sample in samples for name in sample.names],
    )
