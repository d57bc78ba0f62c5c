"""Photographs of the REALY data set as aligned crops, by their landmarks or boxes."""

from __future__ import annotations

from pathlib import Path

from datamodules.benchmark import BenchmarkDataModule
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.evaluation.photo_sets import evenly
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.evaluation.realy.photos import REALYPhotos
from mgc_lightning.evaluation.settings import REALYView
from mgc_lightning.face_models import EMBEDDED, FaceModel, load_face_model


class REALYDataModule(BenchmarkDataModule):
    """Load REALY for testing: `lightning test` with `callbacks.REALYBenchmark` scores it.

    Args:
        dataset: folder with `REALY_HIFI3D_keypoints/`, `REALY_scan_region/` and `metrical_scale.txt`.
        photos: folder of `<subject>.jpg` (frontal) and `<subject>_<view>.jpg` (side); `REALY_image/` in the data set
            if not given.
        landmarks: folder with the landmarks or the box of each image; `REALY_landmarks/` in the data set if not given.
        view: `frontal` or `side`.
        subset: this many images, evenly over the list; all if not given.
        image_size: side of the crops in px; callbacks take the network's.
        face_model: whose mean face is laid on boxes; callbacks take the network's.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.

    Attributes:
        images: the images that are scored, in the official order.

    Raises:
        MGCError: if the data set, or an image, its landmarks or its scan is missing.

    Example:
        On a set that `mgc synthesize realy --output realy` has written.

        >>> data = REALYDataModule(Path("realy"), view="side", image_size=96)  # doctest: +SKIP
        >>> len(data.images), data.photos[0].images.shape  # doctest: +SKIP
        (40, torch.Size([1, 3, 96, 96]))
    """

    @checked
    def __init__(
        self,
        dataset: str | Path,
        photos: str | Path | None = None,
        landmarks: str | Path | None = None,
        view: REALYView = "frontal",
        subset: Count | None = None,
        image_size: Count = 224,
        face_model: str = EMBEDDED,
        batch_size: Count = 16,
        num_workers: Whole = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.view = view
        self.dataset: REALYDataset = REALYDataset(dataset, photos, landmarks)
        self.images: list[REALYImage] = evenly(self.dataset.images(view), subset)
        self.check_files()
        self.align_to(load_face_model(face_model), image_size)

    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: for its face model's mean face, at its size in px."""
        self.photos = REALYPhotos(self.dataset, self.images, face_model, image_size)

    def check_image(self, image: REALYImage) -> None:
        """Make sure that an image has its landmarks; it is listed by its photograph."""
        self.dataset.landmark_file(image)
