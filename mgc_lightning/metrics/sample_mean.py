"""Means over samples, each counted once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Float
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
        names = torch.tensor([_number(name) for name in samples or [""] * len(errors)], device=errors.device)
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
        errors, names = dim_zero_cat(self.errors), dim_zero_cat(self.names)
        order = names.argsort(stable=True)
        names = names[order]
        first = torch.ones_like(names, dtype=torch.bool)
        first[1:] = (names[1:] != names[:-1]) | (names[1:] == _number(""))
        return errors[order][first].mean()


def _number(name: str) -> int:
    """Hash a name to 63 bits; 0 for none."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 if name else 0
