"""The objective over a whole set, whatever its batches and on however many processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from mgc_lightning.metrics.gathered import GatheredMetric
from mgc_lightning.metrics.sample_mean import once, sample_numbers


class LossMeans(GatheredMetric):
    """Average every term over the samples that it applies to, each sample counted once, and weigh the averages.

    A mean of batches' totals would count a sample more in a short batch than in a long one, and depend on who
    shares its batch: a term that applies to few samples is averaged over those alone.

    Args:
        terms: names of all terms of the objective, the same on every process.

    Example:
        >>> means = LossMeans(["pixel", "epipolar"])
        >>> applies = {"pixel": torch.tensor([True, True]), "epipolar": torch.tensor([False, True])}
        >>> terms = {"pixel": torch.tensor([1.0, 3.0]), "epipolar": torch.tensor([0.0, 8.0])}
        >>> weights = {"pixel": 2.0, "epipolar": 0.5}
        >>> means.update(terms, applies, weights, ["a", "b"])
        >>> means.update(terms, applies, weights, ["a", "b"])  # of another process, which had to take equally many
        >>> means.compute()
        {'loss': 8.0, 'pixel': 2.0, 'epipolar': 8.0}
    """

    STATES: ClassVar = {
        "values": (torch.float64, ()),
        "factors": (torch.float64, ()),
        "terms": (torch.long, ()),
        "names": (torch.long, ()),
    }
    values: list[Tensor] | Tensor
    factors: list[Tensor] | Tensor
    terms: list[Tensor] | Tensor
    names: list[Tensor] | Tensor

    def __init__(self, terms: Sequence[str]) -> None:
        super().__init__()
        self.all_terms = tuple(terms)

    def update(
        self,
        values: Mapping[str, Float[Tensor, " B"]],
        applies: Mapping[str, Bool[Tensor, " B"]],
        weights: Mapping[str, float],
        samples: Sequence[str],
    ) -> None:
        """Add a batch.

        Args:
            values: of terms, by name, unweighted.
            applies: by name, which samples a term applies to.
            weights: by name, what a sample's value counts in the loss.
            samples: B names.
        """
        names = sample_numbers(samples)
        for name, column in values.items():
            rows = applies[name].to(column.device)
            kept = column.detach().double()[rows]
            index = torch.full((len(kept),), self.all_terms.index(name), device=kept.device)
            for state, part in (
                (self.values, kept),
                (self.factors, torch.full_like(kept, weights[name])),
                (self.terms, index),
                (self.names, names.to(kept.device)[rows]),
            ):
                cast(list[Tensor], state).append(part)

    def compute(self) -> dict[str, float]:
        """Give every term that applies to a sample, and `loss`, their weighed sum; nothing before the first batch."""
        if not len(self.values):
            return {}
        columns = (dim_zero_cat(state) for state in (self.values, self.factors, self.terms, self.names))
        values, factors, terms, names = columns
        means: dict[str, float] = {"loss": 0.0}
        for index, name in enumerate(self.all_terms):
            rows = terms == index
            if bool(rows.any()):
                means[name] = float(once(names[rows], values[rows]).mean())
                means["loss"] += float(factors[rows][0]) * means[name]
        return means
