"""Metrics that keep a row for each sample, gathered over processes of which some may have none."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torchmetrics import Metric


class GatheredMetric(Metric):
    """Keep lists of tensors that processes put together in the order of their ranks.

    torchmetrics gathers one tensor of each list; a process whose list is empty would gather none, and the others
    would wait for it.

    Attributes:
        STATES: type and shape of a row of each list.

    Example:
        >>> class Ages(GatheredMetric):
        ...     STATES = {"ages": (torch.float64, ())}
        ...
        ...     def update(self, ages: torch.Tensor) -> None:
        ...         self.ages.append(ages)
        ...
        ...     def compute(self) -> torch.Tensor:
        ...         return torch.cat(list(self.ages)).mean()
        >>> metric = Ages()
        >>> metric.update(torch.tensor([20.0, 40.0], dtype=torch.float64))
        >>> metric.compute().item()
        30.0
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    STATES: ClassVar[dict[str, tuple[torch.dtype, tuple[int, ...]]]] = {}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for state in self.STATES:
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather the lists."""
        for state, (dtype, shape) in self.STATES.items():
            if not len(getattr(self, state)):
                setattr(self, state, [torch.empty(0, *shape, dtype=dtype, device=self.device)])
        super().sync(*args, **kwargs)
