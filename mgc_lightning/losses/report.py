"""What the objective says about a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass
class ObjectiveReport:
    """Hold the total and every term by its own name.

    Attributes:
        total: scalar, to be minimised.
        terms: name -> (B,) unweighted values; 0 where a term does not apply to a sample.
        applies: name -> (B,) which samples the term applies to.
        weights: name -> what one sample's value was multiplied with (ramps included), before the average over
            the samples that the term applies to.
        pairs: name -> (B, S) unweighted values of a pair term for each of the S sources, and which pairs were given.

    Example:
        >>> report = ObjectiveReport(
        ...     total=torch.tensor(0.6),
        ...     terms={"pixel": torch.tensor([0.2, 0.0])},
        ...     applies={"pixel": torch.tensor([True, False])},
        ...     weights={"pixel": 3.0},
        ... )
        >>> report.means()
        {'pixel': tensor(0.2000)}
    """

    total: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, " B"]]
    applies: dict[str, Bool[Tensor, " B"]]
    weights: dict[str, float]
    pairs: dict[str, tuple[Float[Tensor, "B S"], Bool[Tensor, "B S"]]] = field(default_factory=dict)

    def pair_means(self) -> dict[tuple[str, int], Float[Tensor, ""]]:
        """Average every pair term over the samples, for each source by itself: (name, view of the source) -> mean.

        Pairs that apply to no sample are left out, and all where there is one source.

        Example:
            >>> values, given = torch.tensor([[0.2, 0.4], [0.0, 0.6]]), torch.tensor([[True, True], [False, True]])
            >>> pairs = {"pixel": (values, given)}
            >>> ObjectiveReport(torch.tensor(0.6), {}, {}, {}, pairs).pair_means()
            {('pixel', 1): tensor(0.2000), ('pixel', 2): tensor(0.5000)}
        """
        means = {}
        for name, (values, given) in self.pairs.items():
            if values.shape[1] < 2:
                continue
            for source, (column, those) in enumerate(zip(values.detach().T, given.T, strict=True), start=1):
                if bool(those.any()):
                    means[name, source] = column[those].mean()
        return means

    def means(self) -> dict[str, Float[Tensor, ""]]:
        """Average every term over the samples that it applies to; terms that apply to none are left out."""
        means = {}
        for name, values in self.terms.items():
            applies = self.applies[name]
            if bool(applies.any()):
                means[name] = values.detach()[applies].mean()
        return means

    def nonfinite(self, sample_ids: Sequence[str] = ()) -> dict[str, list[str]]:
        """Name the samples whose terms are NaN or infinite: term -> sample ids (or rows of the batch)."""
        found = {}
        for name, values in self.terms.items():
            rows = torch.nonzero(~torch.isfinite(values.detach())).flatten().tolist()
            if rows:
                found[name] = [sample_ids[row] if row < len(sample_ids) else str(row) for row in rows]
        return found
