"""A guard against losses and gradients that are not finite: the step is skipped, counted, named, never silent."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import lightning as L
import torch
from torch import Tensor

from mgc_lightning.errors import MGCError

logger = logging.getLogger(__name__)


class NonFiniteGuard:
    """Skip training steps with non-finite values; stop after too many in a row.

    All ranks skip together, so that their weights stay equal. A skipped step ends with no gradients at all, which
    leaves weights and the optimiser's moments as they were.

    Args:
        max_consecutive: steps in a row after which training stops with an error.

    Example:
        >>> module = L.LightningModule()
        >>> module.network = torch.nn.Linear(1, 1)
        >>> NonFiniteGuard().zero_loss(module).backward()  # the loss of a skipped step: it reaches every parameter
        >>> module.network.weight.grad.item()
        0.0
    """

    def __init__(self, max_consecutive: int = 10) -> None:
        self.max_consecutive = max_consecutive
        self.skipped = 0
        self.consecutive = 0
        self._skip = False

    def check(self, values: Mapping[str, Tensor], sample_id: list[str], module: L.LightningModule) -> bool:
        """Return whether all values are finite on all ranks; name the samples of this rank that are not.

        Args:
            values: tensors whose first axis is the sample, or scalars.
            sample_id: names of the samples.
            module: the module in training.

        Raises:
            MGCError: after `max_consecutive` skipped steps in a row.
        """
        finite = all(bool(torch.isfinite(value).all()) for value in values.values())
        if not finite:
            self._report(values, sample_id, module)
        everywhere = _all_ranks(finite, module)
        if not everywhere:
            self._count(module)
        return everywhere

    def zero_loss(self, module: L.LightningModule) -> Tensor:
        """Give a zero that reaches every parameter, as data-parallel training requires."""
        return sum(
            (parameter.flatten()[0] * 0.0 for parameter in module.parameters() if parameter.requires_grad),
            torch.zeros((), device=module.device),
        )

    def before_step(self, module: L.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        """Drop the gradients of a skipped step, or of one whose gradients are not finite."""
        scaler = getattr(module.trainer.precision_plugin, "scaler", None)
        if not self._skip and scaler is None:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            norms = torch.stack(torch._foreach_norm(gradients)) if gradients else torch.zeros(1)
            if not bool(torch.isfinite(norms).all()):
                logger.warning("Step %d: the gradient is not finite; the step is skipped.", module.global_step)
                self._count(module)
        if self._skip:
            optimizer.zero_grad(set_to_none=True)
            self._skip = False
        else:
            self.consecutive = 0

    def _count(self, module: L.LightningModule) -> None:
        self._skip = True
        self.skipped += 1
        self.consecutive += 1
        if self.consecutive >= self.max_consecutive:
            raise MGCError(
                f"{self.consecutive} training steps in a row had non-finite values (the samples are named above); "
                f"training stops at step {module.global_step}. Lower the learning rate or the loss weights, look at "
                "the named samples, or raise `model.max_nonfinite_steps`."
            )

    def _report(self, values: Mapping[str, Tensor], sample_id: list[str], module: L.LightningModule) -> None:
        for name, value in values.items():
            bad = ~torch.isfinite(value)
            if not bad.any():
                continue
            names = ""
            if value.ndim and len(value) == len(sample_id):
                rows = bad.flatten(1).any(1) if value.ndim > 1 else bad
                names = " of samples " + ", ".join(sample_id[i] for i in rows.nonzero().flatten().tolist())
            logger.warning("Step %d: %s%s is not finite; the step is skipped.", module.global_step, name, names)


def _all_ranks(flag: bool, module: L.LightningModule) -> bool:
    if module.trainer.world_size == 1:
        return flag
    return bool(module.trainer.strategy.reduce_boolean_decision(flag, all=True))
