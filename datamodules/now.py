"""Photographs of the NoW data set as aligned crops, by their detected boxes."""

from __future__ import annotations

from pathlib import Path

from datamodules.benchmark import BenchmarkDataModule
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage
from mgc_lightning.evaluation.now.photos import NoWPhotos
from mgc_lightning.evaluation.photo_sets import evenly
from mgc_lightning.evaluation.settings import BoxScale, NoWSplit
from mgc_lightning.face_models import EMBEDDED, FaceModel, load_face_model
from mgc_lightning.metrics.now.names import Challenge


class NoWDataModule(BenchmarkDataModule):
    """Load NoW for testing: `lightning test` with `callbacks.NoWBenchmark` scores it.

    Args:
        dataset: the evaluator's folder (image list, scans, landmarks).
        photos: the downloaded tree with `iphone_pictures/` and `detected_face/`; `dataset` if not given.
        split: `validation` or `test`.
        challenge: one challenge only.
        subset: this many images, evenly over the list; all if not given.
        image_size: side of the crops in px; callbacks take the network's.
        face_model: whose mean face is laid on the boxes; callbacks take the network's.
        box_scale: enlarges the boxes, for detectors that draw them otherwise than from hairline to chin.
        batch_size: photographs a step and process.
        num_workers: processes that read photographs.

    Attributes:
        images: the images that are scored, in the order of the list.

    Raises:
        MGCError: if the data set, or a list, photograph, box or scan of it is missing.

    Example:
        On a set that `mgc synthesize now --output now` has written.

        >>> data = NoWDataModule(Path("now"), challenge="selfie", image_size=96)  # doctest: +SKIP
        >>> len(data.images), data.photos[0].images.shape  # doctest: +SKIP
        (10, torch.Size([1, 3, 96, 96]))
    """

    @checked
    def __init__(
        self,
        dataset: str | Path,
        photos: str | Path | None = None,
        split: NoWSplit = "validation",
        challenge: Challenge | None = None,
        subset: Count | None = None,
        image_size: Count = 224,
        face_model: str = EMBEDDED,
        box_scale: BoxScale = 1.0,
        batch_size: Count = 16,
        num_workers: Whole = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.split, self.box_scale = split, box_scale
        self.dataset: NoWDataset = NoWDataset(dataset, photos)
        self.images: list[NoWImage] = evenly(self.dataset.images(split, challenge), subset)
        self.check_files()
        self.align_to(load_face_model(face_model), image_size)

    def align_to(self, face_model: FaceModel, image_size: int) -> None:
        """Crop for a network: for its face model's mean face, at its size in px."""
        self.photos = NoWPhotos(self.dataset, self.images, face_model, image_size, self.box_scale)

    def check_image(self, image: NoWImage) -> None:
        """Make sure that an image has its photograph and its box."""
        self.dataset.photo_file(image)
        self.dataset.box_file(image)
