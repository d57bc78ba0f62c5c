"""Triplets of photographs: shards that `mgc prepare` wrote, or the official MGCNet layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from torch.utils.data import DataLoader

from datamodules.ranks import rank_of
from datamodules.samplers import ResumableLoader
from datamodules.triplet_data import TripletData
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Batch, Count, CropSide, Focal, Seed, Share, Within, Workers
from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.triplets.augmentation import Augmentation, AugmentationSettings
from mgc_lightning.triplets.dataset import SampleReader, TripletDataset, to_triplet
from mgc_lightning.triplets.grouping import Split
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.order import WindowShuffle
from mgc_lightning.triplets.shards import ShardSet

DEFAULTS = AugmentationSettings()


class TripletDataModule(TripletData):
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

    Example:
        Two samples of random pictures; `mgc prepare` makes such sets of photographs.

        >>> import json, tempfile, torch
        >>> from mgc_lightning.triplets.samples import ViewFiles, encode_jpeg, sample_files
        >>> from mgc_lightning.triplets.shards import MANIFEST, write_shard
        >>> picture, skin = encode_jpeg(torch.rand(3, 64, 64), 95), encode_jpeg(torch.ones(1, 64, 64), 95)
        >>> view = ViewFiles(picture, skin, {"name": "anna", "landmarks": [[9.0, 9.0]] * 68})
        >>> folder = Path(tempfile.mkdtemp())
        >>> shard = write_shard(folder / "train-0.tar", [sample_files([view] * 3, link=2, key=key) for key in "01"])
        >>> _ = (folder / MANIFEST).write_text(json.dumps({"format": 1, "splits": {"train": [shard]}}))
        >>> data = TripletDataModule(str(folder), image_size=32, batch_size=2, num_workers=0, augment=False)
        >>> batch = data.triplets(next(iter(data.train_dataloader())))
        >>> batch.images.shape, batch.link
        (torch.Size([2, 3, 3, 32, 32]), tensor([2, 2]))
    """

    @checked
    def __init__(
        self,
        path: str | Path,
        image_size: CropSide = 224,
        focal: Focal = DEFAULT_FOCAL,
        batch_size: Batch = 5,
        num_workers: Workers = 2,
        seed: Seed = 0,
        augment: bool = True,
        augmentation: AugmentationSettings = DEFAULTS,
        shuffle_shards: Count = 16,
        val_size: Count | None = None,
        val_share: Share = 0.05,
        cache: str | Path | None = None,
        cache_gb: Annotated[float, Within(0)] = 50.0,
    ) -> None:
        super().__init__(image_size, focal, batch_size, num_workers)
        self.path, self.seed = str(path), seed
        self.augmentation = augmentation if augment else None
        self.shuffle_shards, self.val_size, self.val_share = shuffle_shards, val_size, val_share
        self.cache, self.cache_gb = cache, cache_gb
        self.augmenter = Augmentation(augmentation).requires_grad_(False)
        self.train_size = sum(self._reader("train").counts)
        if self.train_size == 0:
            raise MGCError(f"{path}: no sample to train on")

    def train_dataloader(self) -> ResumableLoader:
        """Load shuffled, augmented samples from the place where the run was interrupted."""
        reader = self._reader("train")
        order = WindowShuffle(reader.counts, self.shuffle_shards, self.seed)
        data = TripletDataset(reader, self.image_size, self.focal, order, self.augmentation, self.seed)
        _, world_size = rank_of(self)
        step = self.batch_size * world_size
        # A multiple of the global batch: places then run on from epoch to epoch, and no sample is left out.
        return self.training_loader(data, max(self.train_size - self.train_size % step, step))

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Load the validation samples as they are, always the same; none if the set keeps none."""
        reader = self._reader("val")
        count = sum(reader.counts)
        if count == 0:
            return []
        data = TripletDataset(reader, self.image_size, self.focal)
        return self.evaluation_loader(data, min(count, self.val_size or count))

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

    def description(self) -> dict[str, Any]:
        """Tell what determines the samples."""
        return {"path": self.path, "train_size": self.train_size, "seed": self.seed, "image_size": self.image_size}

    def _reader(self, split: Split) -> SampleReader:
        folder = Path(self.path)
        if "://" not in self.path and (folder / "train.txt").is_file():
            return OfficialLayout(folder, split, self.val_share)
        return ShardSet(self.path, split, self.cache, self.cache_gb)
