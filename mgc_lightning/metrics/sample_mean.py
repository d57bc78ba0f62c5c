"""Means over samples, each counted once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from mgc_lightning.metrics.gathered import GatheredMetric


class SampleMean(GatheredMetric):
    """Average an error over samples; a sample that several processes saw, or one saw twice, counts once.

    Samplers repeat samples where processes must take equally many. Samples without a name are never merged.

    Example:
        >>> metric = SampleMean()
        >>> metric.add(torch.tensor([1.0, 3.0, 3.0]), ["a", "b", "b"])
        >>> metric.compute().item()
        2.0
    """

    STATES: ClassVar = {"errors": (torch.float64, ()), "names": (torch.long, ())}
    errors: list[Tensor] | Tensor
    names: list[Tensor] | Tensor

    def add(self, errors: Float[Tensor, "B ..."], samples: Sequence[str] | None = None) -> None:
        """Add samples.

        Args:
            errors: (B, ...) one of each view.
            samples: B names.
        """
        per_sample = errors.detach().double().reshape(len(errors), -1).mean(1)
        names = sample_numbers(samples or [""] * len(errors)).to(errors.device)
        cast(list[Tensor], self.errors).append(per_sample)
        cast(list[Tensor], self.names).append(names)

    # Each metric has arguments of its own, which end in `add`.
    def update(self, errors: Tensor, samples: Sequence[str] | None = None) -> None:
        """Add samples by their errors."""
        self.add(errors, samples)

    def compute(self) -> Tensor:
        """Give the mean; NaN before the first sample."""
        if not len(self.errors):
            return torch.tensor(torch.nan, device=self.device)
        return once(dim_zero_cat(self.names), dim_zero_cat(self.errors)).mean()


def sample_numbers(samples: Sequence[str]) -> Int64[Tensor, " B"]:
    """Hash the names of samples to 63 bits, which processes can gather; 0 for none.

    Example:
        >>> first, second, nameless = sample_numbers(["a", "b", ""]).tolist()
        >>> first != second, nameless
        (True, 0)
    """
    return torch.tensor([_number(name) for name in samples], dtype=torch.long)


def once(names: Int64[Tensor, " R"], rows: Shaped[Tensor, "R ..."]) -> Shaped[Tensor, "U ..."]:
    """Keep one row of each sample, and all of those without a name.

    Example:
        >>> once(sample_numbers(["b", "a", "b", "", ""]), torch.arange(5)).tolist()
        [3, 4, 1, 0]
    """
    order = names.argsort(stable=True)
    names = names[order]
    first = torch.ones_like(names, dtype=torch.bool)
    first[1:] = (names[1:] != names[:-1]) | (names[1:] == 0)
    return rows[order][first]


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 if name else 0
