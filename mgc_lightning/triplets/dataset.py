"""Samples as a torch dataset of tensors, collated into triplets."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from mgc_lightning.geometry.camera import DEFAULT_FOCAL, intrinsics
from mgc_lightning.losses.photometric import skin_weight
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.streams import stream
from mgc_lightning.triplets.augmentation import AugmentationSettings, draw_augmentation
from mgc_lightning.triplets.order import WindowShuffle
from mgc_lightning.triplets.samples import Sample


class SampleReader(Protocol):
    """Give samples by shard and number; `counts` says how many each shard has."""

    counts: list[int]

    def read(self, shard: int, number: int) -> Sample:
        """Read a sample."""
        ...


class TripletDataset(Dataset[dict[str, Any]]):
    """Give samples by their place in an endless stream of shuffled passes, or in order for evaluation.

    Args:
        reader: of the samples.
        image_size: side in px; crops of another size are resampled.
        focal: px at 224 px.
        order: of training; in the order of the shards if not given.
        augmentation: numbers are drawn for it, by place.
        seed: of the augmentation.

    Example:
        >>> from mgc_lightning.triplets.samples import Sample
        >>> views = torch.zeros(3, 4, 64, 64, dtype=torch.uint8)
        >>> class One:
        ...     counts = [1]
        ...
        ...     def read(self, shard, number):
        ...         points, person = torch.full((3, 68, 2), 64.0), torch.zeros(3, dtype=torch.long)
        ...         return Sample(views[:, :3], views[:, 3:], points, 2, "anna", person)
        >>> item = TripletDataset(One(), image_size=32)[0]
        >>> item["images"].shape, item["landmarks"][0, 0], item["sample_id"]  # half the size
        (torch.Size([3, 3, 32, 32]), tensor([32., 32.]), 'anna')
    """

    def __init__(
        self,
        reader: SampleReader,
        image_size: int,
        focal: float = DEFAULT_FOCAL,
        order: WindowShuffle | None = None,
        augmentation: AugmentationSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.reader, self.image_size, self.seed = reader, image_size, seed
        self.K = intrinsics(image_size, focal)
        self.order, self.augmentation = order, augmentation
        self._starts = torch.tensor([0, *reader.counts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Read the sample at a place of the stream."""
        shard, number = self.order(place) if self.order is not None else self._in_order(place)
        sample = self.reader.read(shard, number)
        item: dict[str, Any] = {
            "images": _resize(sample.images, self.image_size),
            "skin": _resize(sample.skin, self.image_size),
            "landmarks": sample.landmarks * (self.image_size / sample.images.shape[-1]),
            "link": torch.tensor(sample.link),
            "person": sample.person,
            "landmark_weights": _weights(sample),
            "K": self.K.expand(len(sample.images), 3, 3).clone(),
            "sample_id": sample.name,
        }
        if self.augmentation is not None:
            rng = stream(self.seed, "train", place, "augmentation")
            item["augmentation"] = draw_augmentation(rng, self.augmentation, len(sample.images), sample.link > 0)
        return item

    def _in_order(self, place: int) -> tuple[int, int]:
        shard = int(torch.searchsorted(self._starts, place, right=True)) - 1
        return shard, place - int(self._starts[shard])


def _weights(sample: Sample) -> Tensor:
    given = sample.landmark_weights
    return torch.ones(sample.landmarks.shape[:2]) if given is None else given


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    resized = F.interpolate(images.float(), size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized.round().clamp(0, 255).to(torch.uint8)


def to_triplet(batch: dict[str, Any]) -> FaceTriplet:
    """Turn a collated batch into triplets, on its device: bytes to [0, 1], sure skin to 1.

    Example:
        >>> from torch.utils.data import default_collate
        >>> from mgc_lightning.geometry import intrinsics
        >>> white = torch.full((3, 3, 8, 8), 255, dtype=torch.uint8)
        >>> item = {"images": white, "skin": white[:, :1], "link": 2}
        >>> item |= {"landmarks": torch.zeros(3, 68, 2), "K": intrinsics(8).repeat(3, 1, 1), "sample_id": "anna"}
        >>> item |= {"person": torch.zeros(3, dtype=torch.long), "landmark_weights": torch.ones(3, 68)}
        >>> triplet = to_triplet(default_collate([item, item]))
        >>> triplet.images.shape, triplet.images.max(), triplet.link
        (torch.Size([2, 3, 3, 8, 8]), tensor(1.), tensor([2, 2]))
    """
    skin = batch["skin"].float() / 255
    return FaceTriplet(
        images=batch["images"].float() / 255,
        landmarks=batch["landmarks"],
        skin=skin_weight(skin),
        link=batch["link"],
        K=batch["K"],
        sample_id=list(batch["sample_id"]),
        person=batch["person"],
        landmark_weights=batch["landmark_weights"],
    )
