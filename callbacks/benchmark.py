"""What benchmarks of meshes have in common as callbacks: when they run, over which photographs, what they log."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, cast

import lightning as L
import torch
from torch import Tensor

from datamodules.benchmark import BenchmarkDataModule
from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.benchmark_error import BenchmarkError
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.structures import AlignedPhotos
from mgc_lightning.training.module import MGCModule


class BenchmarkCallback(L.Callback):
    """Run a benchmark after every so many validations and at test, over all processes, and log its scores.

    A validation that does not score logs the last scores again, so that `ModelCheckpoint` can monitor them. At test the
    trainer's own data are scored batch by batch, if they are this benchmark's; else the data set that was given is.

    Args:
        selection: arguments of the data module; its `dataset` may be None.
        every: validations from one run to the next, beginning with the first; 0 tests only.
        neutral: leave the predicted expression away.

    Raises:
        MGCError: if folders of a data set are given without it.

    Attributes:
        prefix: of the names of logged scores.
        data: the photographs, once `setup` has found them.
        metric: keeps the scores of this process, once `setup` has made it.
        scores: of the last run, the same on every process; None before it.
        artifacts: label to path of what was written, for `SummaryTable`.
    """

    prefix: ClassVar[str]
    data_module: ClassVar[type[BenchmarkDataModule]]

    def __init__(self, selection: dict[str, Any], every: int, neutral: bool) -> None:
        alone = next((name for name in ("photos", "landmarks") if selection.get(name) is not None), None)
        if selection["dataset"] is None and alone is not None:
            raise MGCError(f"`{alone}` belongs to a data set that this callback opens: give its `dataset` too")
        self.selection, self.every, self.neutral = selection, every, neutral
        self.data: Any = None
        self.metric: Any = None
        self.scores: Any = None
        self.artifacts: dict[str, Path] = {}
        self._validations = 0
        self._last: dict[str, float] = {}
        self._began = 0.0

    @abstractmethod
    def make_metric(self, network: FaceNetwork) -> BenchmarkError[Any]:
        """Make what keeps the scores, and refuse a network that cannot be scored."""

    def start(self, module: MGCModule) -> None:
        """Forget earlier predictions."""
        self.metric.to(module.device).reset()

    @abstractmethod
    def add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        """Predict and score photographs of this process."""

    @abstractmethod
    def show(self, trainer: L.Trainer, module: MGCModule) -> None:
        """Write and log pictures; the first process alone calls it."""

    @abstractmethod
    def print_table(self) -> None:
        """Print the scores of a test."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Find the data set before anything is trained."""
        own = getattr(trainer, "datamodule", None)
        if stage == "test" and isinstance(own, self.data_module):
            self.data = own
        elif self.selection["dataset"] is not None:
            self.data = self.data_module(**self.selection)
        if self.data is not None:
            network = cast(MGCModule, pl_module).network
            self.data.align_to(network.face_model, network.image_size)
            self.metric = self.make_metric(network)

    def state_dict(self) -> dict[str, Any]:
        """Keep the count of validations and the last scores, so that a resumed run goes on in step."""
        return {"validations": self._validations, "last": dict(self._last)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run was."""
        self._validations, self._last = int(state_dict["validations"]), dict(state_dict["last"])

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score, or log the last scores again."""
        if trainer.sanity_checking or self.data is None or self.every < 1:
            return
        self._validations += 1
        if (self._validations - 1) % self.every == 0 or not self._last:
            self._score_all(trainer, cast(MGCModule, pl_module))
        pl_module.log_dict(self._last, rank_zero_only=False)

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin with the trainer's own data."""
        if self._is_own(trainer):
            self._start(cast(MGCModule, pl_module))

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score a batch of the trainer's own data."""
        if isinstance(batch, AlignedPhotos) and self._is_own(trainer):
            self._add(cast(MGCModule, pl_module), batch)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score what was not scored batch by batch; log and print."""
        if self.data is None:
            return
        if self._is_own(trainer):
            self._finish(trainer, cast(MGCModule, pl_module))
        else:
            self._score_all(trainer, cast(MGCModule, pl_module))
        pl_module.log_dict(self._last, rank_zero_only=False)
        if trainer.is_global_zero:
            self.print_table()

    def _is_own(self, trainer: L.Trainer) -> bool:
        return self.data is not None and self.data is getattr(trainer, "datamodule", None)

    def _score_all(self, trainer: L.Trainer, module: MGCModule) -> None:
        self._start(module)
        for batch in self.data.loader(trainer.global_rank, trainer.world_size):
            self._add(module, batch)
        self._finish(trainer, module)

    def _start(self, module: MGCModule) -> None:
        self._began = time.perf_counter()
        self.start(module)

    @torch.no_grad()
    def _add(self, module: MGCModule, batch: AlignedPhotos) -> None:
        self.add(module, batch)

    @torch.no_grad()
    def _finish(self, trainer: L.Trainer, module: MGCModule) -> None:
        self.scores = self.metric.scores()
        # Training waits for the slowest process.
        seconds = torch.tensor(time.perf_counter() - self._began, device=module.device)
        # What is undefined, such as the deviation of one prediction, is left out.
        scalars = {name: value for name, value in self.scores.scalars().items() if not math.isnan(value)}
        self._last = {f"{self.prefix}/{name}": value for name, value in scalars.items()}
        self._last[f"{self.prefix}/seconds"] = float(trainer.strategy.reduce(seconds, reduce_op="max"))
        if trainer.is_global_zero:
            self.show(trainer, module)


def predict(network: FaceNetwork, images: Tensor) -> FaceCoefficients:
    """Predict absolute coefficients of crops (B, 3, S, S), in full precision and evaluation mode.

    Example:
        >>> from mgc_lightning import Encoder, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> predict(network, torch.rand(2, 3, 32, 32)).identity.shape, network.training
        (torch.Size([2, 80]), True)
    """
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            return network.coefficients(images)
    finally:
        network.train(training)
