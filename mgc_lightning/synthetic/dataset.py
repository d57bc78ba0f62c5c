"""Synthetic samples as a torch dataset of latents, and a shortcut to finished triplets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.generator import TripletGenerator
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.streams import Split

SAMPLE_ID = "sample_id"
"""Key of the sample's name beside its latents."""
DEFAULTS = SyntheticSettings()


class LatentDataset(Dataset[dict[str, Any]]):
    """Give the latents of a split by index; light work, so that loader processes pass on kilobytes.

    Any index of the stream is valid, also beyond the length, which only says how many samples an epoch has.

    Args:
        sampler: draws the latents.
        split: `train`, `val`, `test` or `predict`.
        size: length.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic.complexion import make_complexion
        >>> from mgc_lightning.synthetic.latents import LatentSampler
        >>> model = load_face_model()
        >>> sampler = LatentSampler(model, make_complexion(model), SyntheticSettings())
        >>> latents = LatentDataset(sampler, "train", size=100)
        >>> len(latents), latents[0]["identity"].shape, latents[0][SAMPLE_ID]
        (100, torch.Size([3, 80]), 'synthetic/train/00000000')
    """

    def __init__(self, sampler: LatentSampler, split: Split, size: int) -> None:
        self.sampler, self.split, self.size = sampler, split, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        latents: dict[str, Any] = dict(self.sampler.draw(self.split, int(index)))
        latents[SAMPLE_ID] = f"synthetic/{self.split}/{int(index):08d}"
        return latents


def render_latents(generator: nn.Module, batch: dict[str, Any]) -> FaceTriplet:
    """Turn a collated batch of latents and names into pictures, on the device of the latents."""
    latents: dict[str, Tensor] = {name: value for name, value in batch.items() if name != SAMPLE_ID}
    device = latents["link"].device
    # A generator first used under inference mode must not keep inference tensors: training would stumble on them.
    with torch.inference_mode(False), torch.no_grad():
        return generator.to(device)(latents, batch[SAMPLE_ID])


def make_triplets(
    face_model: FaceModel,
    indices: int | Iterable[int],
    *,
    split: Split = "test",
    image_size: int = 224,
    focal: float = DEFAULT_FOCAL,
    settings: SyntheticSettings = DEFAULTS,
    seed: int = 0,
    views: int = 3,
    device: torch.device | str = "cpu",
) -> FaceTriplet:
    """Make synthetic triplets without Lightning: for benchmarks, tests, fitting.

    Args:
        face_model: of any level; it stays where it is.
        indices: which samples, or how many from 0.
        split: whose stream; splits have disjoint identities.
        image_size: side of the images in px.
        focal: focal length in px at 224 px.
        settings: distributions; `SyntheticSettings(linked=1, unlinked=0)` gives linked triplets only.
        seed: of the data.
        views: V.
        device: where the pictures are rendered.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> make_triplets(load_face_model(), 2, image_size=32).images.shape
        torch.Size([2, 3, 3, 32, 32])
    """
    chosen: Sequence[int] = range(indices) if isinstance(indices, int) else list(indices)
    generator = TripletGenerator(face_model, image_size, focal, supersampling=settings.supersampling)
    sampler = LatentSampler(face_model, generator.complexion, settings, seed, views)
    dataset = LatentDataset(sampler, split, len(chosen))
    batch = default_collate([dataset[index] for index in chosen])
    moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
    return render_latents(generator, moved)
