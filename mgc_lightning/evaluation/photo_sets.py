"""What the photographs of benchmarks share: choosing some, putting them into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.structures import AlignedPhotos

T = TypeVar("T")


def evenly(items: list[T], number: int | None) -> list[T]:
    """Choose a number of items, evenly over the list; all of them for None.

    Raises:
        MGCError: if the number is not positive.

    Example:
        >>> evenly(["a", "b", "c", "d", "e"], 3)
        ['a', 'c', 'e']
    """
    if number is None or number >= len(items):
        return items
    if number < 1:
        raise MGCError(f"Expected subset to be at least 1, got {number}")
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, number).round()]


def collate(samples: Sequence[AlignedPhotos]) -> AlignedPhotos:
    """Put photographs into one batch."""
    return AlignedPhotos(
        torch.cat([sample.images for sample in samples]),
        torch.cat([sample.index for sample in samples]),
        [name for sample in samples for name in sample.names],
    )
