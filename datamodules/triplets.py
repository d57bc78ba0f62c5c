"""Triplets of photographs: shards that `mgc prepare` wrote, or the official MGCNet layout."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning as L
from torch.utils.data import DataLoader

from datamodules.ranks import rank_of
from datamodules.samplers import GlobalBatchSampler, ResumableLoader, unfinished_batches
from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.module import MGCModule
from mgc_lightning.triplets.augmentation import Augmentation, AugmentationSettings
from mgc_lightning.triplets.dataset import SampleReader, TripletDataset, to_triplet
from mgc_lightning.triplets.grouping import Split
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.order import WindowShuffle
from mgc_lightning.triplets.shards import ShardSet

logger = logging.getLogger(__name__)
DEFAULTS = AugmentationSettings()


class TripletDataModule(L.LightningDataModule):
    """Load triplets of photographs for training and validation, split by identity.

    Training runs through the set again and again, each pass in another order; the order and the augmentation follow
    from the seed and the place in the stream alone, whatever the number of workers and ranks. Ranks take disjoint
    slices of every global batch. An epoch has whole global batches; the few samples left over begin the next epoch,
    so that none is lost. A run that resumes inside an epoch sees the batches that the unbroken run would have seen.

    Args:
        path: folder or URL (`s3://...`, what fsspec knows) of a set, or folder in the official layout.
        image_size: side of the crops in px; in a trainer it is the network's.
        focal: focal length in px at 224 px, likewise.
        batch_size: triplets a step and process.
        num_workers: processes that read and decode.
        seed: of order and augmentation.
        augment: disturb training samples.
        augmentation: how strongly.
        shuffle_shards: shards whose samples are mixed; as many must be at hand.
        val_size: most samples of a validation, the first ones; all if not given.
        val_share: share of identities kept for validation, in the official layout without a `val.txt`.
        cache: folder for shards of a remote set.
        cache_gb: the most it may hold.

    Raises:
        MGCError: if there is no set, or no sample to train on.
    """

    def __init__(
        self,
        path: str,
        image_size: int = 224,
        focal: float = DEFAULT_FOCAL,
        batch_size: int = 5,
        num_workers: int = 2,
        seed: int = 0,
        augment: bool = True,
        augmentation: AugmentationSettings = DEFAULTS,
        shuffle_shards: int = 16,
        val_size: int | None = None,
        val_share: float = 0.05,
        cache: Path | None = None,
        cache_gb: float = 50.0,
    ) -> None:
        super().__init__()
        self.path, self.image_size, self.focal = path, image_size, focal
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.augmentation = augmentation if augment else None
        self.shuffle_shards, self.val_size, self.val_share = shuffle_shards, val_size, val_share
        self.cache, self.cache_gb = cache, cache_gb
        self.augmenter = Augmentation(augmentation).requires_grad_(False)
        self.train_size = sum(self._reader("train").counts)
        if self.train_size == 0:
            raise MGCError(f"{path}: no sample to train on")

    def setup(self, stage: str) -> None:
        """Take image size and focal length from the network: any others would not fit it."""
        module = self.trainer.lightning_module if self.trainer is not None else None
        if isinstance(module, MGCModule):
            self.image_size, self.focal = module.network.image_size, module.network.focal

    def train_dataloader(self) -> ResumableLoader:
        """Load shuffled, augmented samples from the place where the run was interrupted."""
        reader = self._reader("train")
        order = WindowShuffle(reader.counts, self.shuffle_shards, self.seed)
        data = TripletDataset(reader, self.image_size, self.focal, order, self.augmentation, self.seed)
        rank, world_size = self._ranks()
        step = self.batch_size * world_size
        # A multiple of the global batch: places then run on from epoch to epoch, and no sample is left out.
        size = max(self.train_size - self.train_size % step, step)
        sampler = GlobalBatchSampler(size, self.batch_size, rank, world_size, new_every_epoch=True)
        if self.trainer is not None:
            sampler.set_epoch(self.trainer.current_epoch)
        return ResumableLoader(
            data,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=self._pin_memory(),
            unfinished=lambda: unfinished_batches(self.trainer),
        )

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Load the validation samples as they are, always the same; none if the set keeps none."""
        reader = self._reader("val")
        count = sum(reader.counts)
        if count == 0:
            return []
        rank, world_size = self._ranks()
        size = min(count, self.val_size or count)
        return DataLoader(
            TripletDataset(reader, self.image_size, self.focal),
            batch_size=self.batch_size,
            sampler=GlobalBatchSampler(size, self.batch_size, rank, world_size),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=self._pin_memory(),
        )

    def test_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Load the validation samples."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Load the validation samples."""
        return self.val_dataloader()

    def triplets(self, batch: dict[str, Any]) -> FaceTriplet:
        """Turn a batch of a loader into triplets where its tensors are, augmented if it brings the numbers."""
        triplet = to_triplet(batch)
        if "augmentation" not in batch:
            return triplet
        return self.augmenter.to(triplet.images.device)(triplet, batch["augmentation"])

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Decode bytes and augment on the device."""
        return self.triplets(batch) if isinstance(batch, dict) else batch

    def state_dict(self) -> dict[str, Any]:
        """Describe the data, for comparison on resuming; the loader itself keeps the place in the epoch."""
        return {"path": self.path, "train_size": self.train_size, "seed": self.seed, "image_size": self.image_size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Say what differs from the data of the interrupted run."""
        changed = {name: f"{state_dict.get(name)} -> {value}" for name, value in self.state_dict().items()
                   if state_dict.get(name, value) != value}  # fmt: skip
        if changed:
            logger.warning("Triplets differ from those of the checkpoint: %s", changed)

    def _reader(self, split: Split) -> SampleReader:
        folder = Path(self.path)
        if "://" not in self.path and (folder / "train.txt").is_file():
            return OfficialLayout(folder, split, self.val_share)
        return ShardSet(self.path, split, self.cache, self.cache_gb)

    def _ranks(self) -> tuple[int, int]:
        return rank_of(self)

    def _pin_memory(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
