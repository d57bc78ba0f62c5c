"""What the data modules of triplets share: the network's camera, loaders that resume, batches turned into triplets."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset

from datamodules.ranks import rank_of
from datamodules.samplers import GlobalBatchSampler, ResumableLoader, unfinished_batches
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.loader_memory import end_where_nothing_can_be_sent
from mgc_lightning.training.module import MGCModule

logger = logging.getLogger(__name__)


class TripletData(L.LightningDataModule):
    """Load triplets for training and evaluation.

    Ranks take disjoint slices of every global batch. A run that resumes inside an epoch sees the batches that the
    unbroken run would have seen. What loaders yield is turned into triplets on the device, after the transfer.

    Args:
        image_size: side of the crops in px; in a trainer it is the network's.
        focal: focal length in px at 224 px, likewise.
        batch_size: triplets a step and process.
        num_workers: processes that load.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> data = TripletData(image_size=224, focal=4700.0, batch_size=2, num_workers=0)
        >>> samples = TensorDataset(torch.arange(9))
        >>> [batch.tolist() for batch, in data.evaluation_loader(samples, size=3)]
        [[0, 1], [2]]
    """

    def __init__(self, image_size: int, focal: float, batch_size: int, num_workers: int) -> None:
        super().__init__()
        self.image_size, self.focal = image_size, float(focal)
        self.batch_size, self.num_workers = batch_size, num_workers

    @abstractmethod
    def triplets(self, batch: dict[str, Any]) -> FaceTriplet:
        """Turn a batch of a loader into triplets, on the device where its tensors are."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Tell what determines the samples, in plain values: compared when a run resumes."""

    def setup(self, stage: str) -> None:
        """Take image size and focal length from the network: any others would not fit it."""
        module = self.trainer.lightning_module if self.trainer is not None else None
        if isinstance(module, MGCModule):
            own, theirs = (self.image_size, self.focal), (module.network.image_size, module.network.focal)
            if own != theirs:
                logger.info("Pictures get the network's image size and focal length, %s px instead of %s.", theirs, own)
            self.image_size, self.focal = theirs

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Make triplets of what has arrived on the device."""
        return self.triplets(batch) if isinstance(batch, dict) else batch

    def state_dict(self) -> dict[str, Any]:
        """Describe the data, for comparison on resuming; the loader itself keeps the place in the epoch."""
        return self.description()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Say what differs from the data of the interrupted run."""
        changed = {
            name: f"{state_dict[name]} -> {value}"
            for name, value in self.description().items()
            if name in state_dict and state_dict[name] != value
        }
        if changed:
            logger.warning("The data differ from those of the checkpoint: %s", changed)

    def training_loader(self, data: Dataset[Any], size: int) -> ResumableLoader:
        """Load an epoch of `size` samples, over all processes, from the place where the run was interrupted."""
        sampler = GlobalBatchSampler(size, self.batch_size, *rank_of(self), new_every_epoch=True)
        if self.trainer is not None:
            sampler.set_epoch(self.trainer.current_epoch)
        return ResumableLoader(
            data, sampler=sampler, unfinished=lambda: unfinished_batches(self.trainer), **self._options()
        )

    def evaluation_loader(self, data: Dataset[Any], size: int) -> DataLoader[Any]:
        """Load the first `size` samples, always the same."""
        sampler = GlobalBatchSampler(size, self.batch_size, *rank_of(self))
        return DataLoader(data, sampler=sampler, **self._options())

    def _options(self) -> dict[str, Any]:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return {
            "batch_size": self.batch_size,
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": on_cuda,
            "worker_init_fn": end_where_nothing_can_be_sent,
        }
