"""How a training goes, beside its losses: learning rate, gradients, speed, memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn

from mgc_lightning.training.logged_steps import logs_now
from mgc_lightning.training.module import MGCModule


class TrainingMonitor(L.Callback):
    """Log learning rates, gradient norms of encoder parts, images a second and memory, as often as losses are.

    Gradients are those before clipping. Speed counts training alone, waiting for data included: the images of all
    views on all processes. Memory is the peak of the device, or what the process holds where training is on the CPU.

    Example:
        >>> trainer = L.Trainer(logger=False, accelerator="cpu", callbacks=[TrainingMonitor()])
    """

    def __init__(self) -> None:
        self._norms: dict[str, Tensor] = {}
        self._images = 0
        self._seconds = 0.0
        self._since: float | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Begin to count with the first batch, whose loaders have started by then."""
        if self._since is None:
            self._since = time.perf_counter()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave validations out."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count again."""
        if self._since is not None:
            self._since = time.perf_counter()

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Measure the gradients where they will be logged."""
        if logs_now(trainer):
            encoder = cast(MGCModule, pl_module).network.encoder
            self._norms = {
                name: norm for name, part in encoder.named_children() if (norm := gradient_norm(part)) is not None
            }

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count images; log where losses are logged."""
        images = getattr(batch, "images", None)
        if images is not None:
            self._images += images.shape[0] * (images.shape[1] if images.ndim == 5 else 1)
        if not logs_now(trainer):
            return
        values: dict[str, float | Tensor] = {f"gradient_norm/{name}": norm for name, norm in self._norms.items()}
        self._norms = {}
        rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
        values |= {f"optimizer/lr{f'_{place}' if place else ''}": float(rate) for place, rate in enumerate(rates)}
        values["memory/mib"] = memory(trainer.strategy.root_device)
        now = time.perf_counter()
        seconds = self._seconds + now - (self._since or now)
        if seconds > 0 and self._images:
            values["speed/images_per_second"] = self._images * trainer.world_size / seconds
        self._images, self._seconds, self._since = 0, 0.0, now
        pl_module.log_dict(values, batch_size=1)


def gradient_norm(part: nn.Module) -> Tensor | None:
    """Give the norm of all gradients of a part; None if it has none.

    Example:
        >>> part = nn.Linear(1, 1)
        >>> (3 * part(torch.ones(1))).sum().backward()
        >>> gradient_norm(part)  # 3 for the weight, 3 for the bias
        tensor(4.2426)
    """
    gradients = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
    return torch.stack(torch._foreach_norm(gradients)).norm() if gradients else None


def memory(device: torch.device) -> float:
    """Give MiB: the peak of a GPU so far, or what this process holds."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    pages = Path("/proc/self/statm")
    if pages.is_file():
        import resource

        return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**20
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
