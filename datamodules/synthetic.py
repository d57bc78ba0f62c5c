"""Synthetic multi-view triplets, rendered on the device of training."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, default_collate

from datamodules.samplers import ResumableLoader
from datamodules.triplet_data import TripletData
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Batch, CropSide, Focal, Samples, Seed, Views, Whole, Workers
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.rendering.rasterizers.base import RasterizerName
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import LatentDataset, render_latents
from mgc_lightning.synthetic.generator import TripletGenerator
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.streams import Split

DEFAULTS = SyntheticSettings()


def _render(generator: TripletGenerator, samples: list[dict[str, Any]]) -> FaceTriplet:
    """Render a batch in the process that has drawn its numbers: on the CPU, pictures cost more than passing them on."""
    return render_latents(generator, default_collate(samples))


class SyntheticTriplets(TripletData):
    """Generate triplets of faces with landmarks, skin masks and ground truth.

    The loaders draw numbers on the CPU, by seed, split and index alone; `on_after_batch_transfer` renders them on the
    device. The same seed and index give the same sample whatever the number of workers or ranks; every training epoch
    has new samples, val and test always the same; the splits' identities are disjoint. A run that resumes from a
    checkpoint inside an epoch sees the batches that the unbroken run would have seen.

    Args:
        face_model: name or path of the face model that pictures are made of.
        face_model_level: 0 for speed, 1 for looks; also the mesh of the ground truth.
        image_size: side of the crops in px; in a trainer it is the network's.
        focal: focal length in px at 224 px, likewise; faces keep their size, the distance follows.
        batch_size: triplets a step and process.
        train_size: triplets a training epoch, over all processes.
        val_size: triplets of validation.
        test_size: triplets of the test.
        views: views a sample, the target included.
        num_workers: processes that draw numbers, and the pictures too where training runs on the CPU; 0 does it
            between the steps, on a GPU at under a millisecond a view.
        seed: of the data, apart from the seed of training.
        settings: what the samples are like.
        rasterizer: that draws; `auto` suits the device.

    Raises:
        MGCError: if the face model, a setting or a size is not usable.

    Example:
        >>> data = SyntheticTriplets(image_size=32, batch_size=2, train_size=4)
        >>> batch = data.triplets(next(iter(data.train_dataloader())))
        >>> batch.images.shape, batch.landmarks.shape
        (torch.Size([2, 3, 3, 32, 32]), torch.Size([2, 3, 68, 2]))
    """

    @checked
    def __init__(
        self,
        face_model: str = EMBEDDED,
        face_model_level: Whole = 0,
        image_size: CropSide = 224,
        focal: Focal = DEFAULT_FOCAL,
        batch_size: Batch = 5,
        train_size: Samples = 20_000,
        val_size: Samples = 64,
        test_size: Samples = 256,
        views: Views = 3,
        num_workers: Workers = 0,
        seed: Seed = 0,
        settings: SyntheticSettings = DEFAULTS,
        rasterizer: RasterizerName = "auto",
    ) -> None:
        super().__init__(image_size, focal, batch_size, num_workers)
        model = load_face_model(face_model, level=face_model_level)
        self.generator = TripletGenerator(
            model, image_size, focal, rasterizer, supersampling=settings.supersampling
        ).requires_grad_(False)
        self.latents = LatentSampler(model, self.generator.complexion, settings, seed, views)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size, "predict": test_size}
        self._description = {
            "face_model": model.fingerprint,
            "face_model_level": face_model_level,
            "train_size": train_size,
            "views": views,
            "seed": seed,
            **{name: list(v) if isinstance(v, tuple) else v for name, v in asdict(settings).items()},
        }

    def setup(self, stage: str) -> None:
        """Render for the network's image size and focal length: any others would not fit it."""
        super().setup(stage)
        self.generator.set_camera(self.image_size, self.focal)

    def train_dataloader(self) -> ResumableLoader:
        """Load new samples every epoch, from the place where the run was interrupted."""
        size = self.sizes["train"]
        return self.training_loader(LatentDataset(self.latents, "train", size), size)

    def val_dataloader(self) -> DataLoader[Any]:
        """Load the validation samples, always the same."""
        return self._load("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Load the test samples, always the same."""
        return self._load("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Load samples for prediction, always the same."""
        return self._load("predict")

    def triplets(self, batch: dict[str, Any]) -> FaceTriplet:
        """Render a batch of a loader on the device where its tensors are."""
        return render_latents(self.generator, batch)

    def description(self) -> dict[str, Any]:
        """Tell what determines the samples."""
        return {**self._description, "image_size": self.image_size, "focal": self.focal}

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        if self.num_workers > 0 and self.trainer is not None and self.trainer.strategy.root_device.type == "cpu":
            options["collate_fn"] = partial(_render, self.generator)
        return options

    def _load(self, split: Split) -> DataLoader[Any]:
        size = self.sizes[split]
        return self.evaluation_loader(LatentDataset(self.latents, split, size), size)
