"""The LightningModule: it puts the parts together and contains no maths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Channels, Count, CropSide, Focal, Whole
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.encoders.registry import is_ours
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.files.reading import reason
from mgc_lightning.losses.objective import MGCObjective, ObjectiveReport
from mgc_lightning.metrics.loss_means import LossMeans
from mgc_lightning.metrics.reconstruction import ReconstructionScores
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork, OutputScaling, main_pose_at, stored_main_pose
from mgc_lightning.networks.start import start_from, starting_network
from mgc_lightning.rendering.rasterizers.base import RasterizerName
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views
from mgc_lightning.structures import AlignedPhotos, FaceTriplet
from mgc_lightning.training.backbone_notice import tell_about_backbone
from mgc_lightning.training.logged_steps import logs_now
from mgc_lightning.training.nonfinite import NonFiniteGuard
from mgc_lightning.training.random_state import capture_random_state, restore_random_state
from mgc_lightning.training.resumed_rates import check_same_optimizer, differs, take_config_rates
from mgc_lightning.training.same_run import RUN_KEY, describe_run, rehome
from mgc_lightning.training.schedules import schedule_config, step_plateaus
from mgc_lightning.training.unfit import check_trainer

HYPERPARAMETERS_KEY = "mgc_hyperparameters"


class MGCModule(L.LightningModule):
    """Train an encoder by rendering its faces and comparing views (MGCNet, ECCV 2020).

    Args:
        backbone: images to a feature map, with `num_features`.
        spatial_channels: channels of the head's spatial map; 0 for the official plain head.
        face_model: name of a face model, or the path of a converted one.
        face_model_level: 0 for speed, 1 for looks (where the model has a subdivision).
        image_size: side of the crops in px.
        focal: focal length in px at 224 px.
        output_scaling: what one unit of each raw output means.
        objective: the weighed losses.
        rasterizer: that draws; `auto` suits the device.
        optimizer: makes the optimiser from the parameters.
        scheduler: makes the scheduler, stepped once a training step, from the optimiser.
        init: weights to start from: those of a whole network of this architecture (the name of one of the package, a
            .ckpt or .safetensors, the folder of an export), or of an official backbone (`mgc import-official`).
        max_nonfinite_steps: consecutive steps with a non-finite loss or gradient after which training stops.

    Example:
        >>> module = MGCModule(ResNet(18, width=4), image_size=32)
        >>> coefficients, verts, landmarks = module(torch.rand(2, 3, 32, 32))
        >>> coefficients.shape, verts.shape, landmarks.shape
        (torch.Size([2, 205]), torch.Size([2, 4032, 3]), torch.Size([2, 68, 2]))
    """

    @checked
    def __init__(
        self,
        backbone: nn.Module | None = None,
        spatial_channels: Channels = 64,
        face_model: str = EMBEDDED,
        face_model_level: Whole = 0,
        image_size: CropSide = 224,
        focal: Focal = 4700.0,
        output_scaling: OutputScaling | None = None,
        objective: MGCObjective | None = None,
        rasterizer: RasterizerName = "auto",
        optimizer: OptimizerCallable = lambda parameters: torch.optim.Adam(parameters, lr=1e-4),
        scheduler: LRSchedulerCallable | None = None,
        init: str | Path | None = None,
        max_nonfinite_steps: Count = 10,
    ) -> None:
        super().__init__()
        model = load_face_model(face_model, level=face_model_level)
        encoder = Encoder(backbone or ResNet(50), model.layout.total, spatial_channels)
        start = None if init is None else starting_network(init)
        main_pose = None if start is None else stored_main_pose(start.config)
        self.network = FaceNetwork(encoder, model, image_size, focal, output_scaling, main_pose)
        if init is not None:
            start_from(self.network, init, start)
        self.renderer = FaceRenderer(rasterizer)
        self.objective = objective or MGCObjective()
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.guard = NonFiniteGuard(max_nonfinite_steps)
        self.scores = ReconstructionScores(
            model.face_mask, model.mean, model.landmarks68(model.mean), main_pose_at(model.main_pose, focal)
        )
        self.losses = LossMeans(list(self.objective.terms()))
        self.last_scores: dict[str, float] = {}
        self.hyperparameters: dict[str, Any] = {}
        self._random_state: list[dict[str, Any]] | None = None
        self._rate: float | None = None

    @property
    def backbone(self) -> nn.Module:
        """The backbone, by the name that Lightning's BackboneFinetuning freezes and thaws."""
        return self.network.encoder.backbone

    @property
    def lr(self) -> float:
        """The optimiser's learning rate, by the name that Lightning's LearningRateFinder reads and sets."""
        return self._rate or float(self.optimizer([nn.Parameter(torch.zeros(1))]).param_groups[0]["lr"])

    @lr.setter
    def lr(self, rate: float) -> None:
        self._rate = rate

    def setup(self, stage: str) -> None:
        """Refuse what a trainer cannot do with this module before anything is done."""
        check_trainer(self.trainer)

    def on_fit_start(self) -> None:
        """Say now, and not after hours, what the end of the training will not be able to do."""
        backbone = self.network.encoder.backbone
        if self.trainer.is_global_zero and not is_ours(type(backbone)):
            tell_about_backbone(backbone)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruct images (B, 3, H, W): coefficients (B, C), verts (B, N, 3) mm, landmarks (B, 68, 2) px."""
        return self.network(images)

    def reconstruct_views(self, batch: FaceTriplet) -> FaceViews:
        """Predict and render every view of a batch; geometry in float32."""
        B, V = batch.images.shape[:2]
        coefficients = self.network.coefficients(batch.images.flatten(0, 1)).map(lambda c: c.unflatten(0, (B, V)))
        with torch.autocast(self.device.type, enabled=False):
            return render_views(coefficients, self.network.face_model, self.renderer, batch.K, self.network.image_size)

    def training_step(self, batch: FaceTriplet, batch_idx: int) -> Tensor:
        """Give the total loss; a non-finite one is named and its step skipped."""
        if not self.guard.check({"images": batch.images, "landmarks": batch.landmarks}, batch.sample_id, self):
            return self.guard.zero_loss(self)
        views = self.reconstruct_views(batch)
        report = self.objective(views, batch, progress=self.progress)
        if not self.guard.check({**report.terms, "total": report.total}, batch.sample_id, self):
            return self.guard.zero_loss(self)
        self._log_losses(report, batch)
        return report.total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Leave the weights alone in a step that was skipped."""
        self.guard.before_step(self, optimizer)

    def on_train_batch_end(self, outputs: Any, batch: FaceTriplet, batch_idx: int) -> None:
        """Log the count of skipped steps."""
        self.log("train/skipped_steps", float(self.guard.skipped), batch_size=1)

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        steps = self.trainer.estimated_stepping_batches
        return min(self.global_step / steps, 1.0) if 0 < steps < float("inf") else 0.0

    def validation_step(self, batch: FaceTriplet, batch_idx: int) -> dict[str, Any]:
        """Score a batch; give its `views` to callbacks."""
        return {"views": self._evaluate(batch)}

    def test_step(self, batch: FaceTriplet | AlignedPhotos, batch_idx: int) -> None:
        """Score a batch; photographs of a benchmark are scored by its callback."""
        if isinstance(batch, FaceTriplet):
            self._evaluate(batch)

    def predict_step(self, batch: FaceTriplet | AlignedPhotos, batch_idx: int) -> dict[str, Any]:
        """Reconstruct a batch; a photograph of a benchmark is one view."""
        if isinstance(batch, AlignedPhotos):
            images, names = batch.images[:, None], batch.names
        else:
            images, names = batch.images, batch.sample_id
        coefficients, verts, landmarks = self(images.flatten(0, 1))
        return {
            "sample_id": names,
            "coefficients": coefficients.unflatten(0, images.shape[:2]),
            "verts": verts.unflatten(0, images.shape[:2]),
            "landmarks": landmarks.unflatten(0, images.shape[:2]),
        }

    def _evaluate(self, batch: FaceTriplet) -> FaceViews:
        views = self.reconstruct_views(batch)
        report = self.objective(views, batch, progress=1.0)
        self.losses.update(report.terms, report.applies, report.weights, batch.sample_id)
        neutral = self.network.face_model.shape(views.coefficients.identity)
        self.scores.update(views, neutral, batch)
        return views

    def _log_losses(self, report: ObjectiveReport, batch: FaceTriplet) -> None:
        size = len(batch.images)
        self.log("train/loss", report.total.detach(), batch_size=size)
        self.log_dict({f"train/{name}": mean for name, mean in report.means().items()}, batch_size=size)
        if logs_now(self.trainer):  # seldom: each of these waits for the device
            pairs = {f"train/{name}/{source}": mean for (name, source), mean in report.pair_means().items()}
            self.log_dict(pairs, batch_size=size)

    def on_validation_epoch_end(self) -> None:
        """Log losses and scores, each sample counted once: all names on every process."""
        self._log_scores("val")
        step_plateaus(self.trainer)

    def on_test_epoch_end(self) -> None:
        """Log losses and scores, each sample counted once: all names on every process."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        self.last_scores = self.scores.compute()
        self.scores.reset()
        losses = self.losses.compute() if self.losses.update_called else {}
        self.losses.reset()
        found = losses | self.last_scores
        self.log_dict({f"{stage}/{name}": value for name, value in found.items()}, rank_zero_only=False)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the optimiser and the scheduler of the config; the scheduler steps once a training step."""
        try:
            optimizer = self.optimizer(filter(lambda p: p.requires_grad, self.network.parameters()))
            if self._rate is not None:
                for group in optimizer.param_groups:
                    group["lr"] = self._rate
            scheduler = None if self.scheduler is None else self.scheduler(optimizer)
        except (ValueError, TypeError) as error:
            raise MGCError(f"`optimizer` or `scheduler` cannot be made: {reason(error)}") from error
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": schedule_config(scheduler)}  # type: ignore[return-value]

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients, those of fused optimisers too where no scaler is at work.

        Lightning refuses every fused optimiser under mixed precision, since one under float16 undoes the scaling of the
        gradients itself, after clipping; bfloat16 scales nothing.
        """
        plugin = self.trainer.precision_plugin
        if not gradient_clip_val or not isinstance(plugin, MixedPrecision) or plugin.scaler is not None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        kind = GradClipAlgorithmType((gradient_clip_algorithm or "norm").lower())
        super(MixedPrecision, plugin).clip_gradients(optimizer, gradient_clip_val, kind)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what rebuilds the network, the resolved hyperparameters and the random state of every rank."""
        checkpoint[NETWORK_KEY] = self.network.config
        checkpoint[HYPERPARAMETERS_KEY] = self.hyperparameters
        checkpoint["mgc_random_state"] = capture_random_state()
        checkpoint["mgc_skipped_steps"] = self.guard.skipped
        if self._trainer is not None:
            checkpoint[RUN_KEY] = describe_run(self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the checkpoint of another network or face model; go on as the same run, at the config's rates."""
        self.network.check_config(checkpoint.get(NETWORK_KEY))
        self.network.keep_main_pose(checkpoint[NETWORK_KEY])
        self._random_state = checkpoint.get("mgc_random_state")
        self.guard.skipped = int(checkpoint.get("mgc_skipped_steps", 0))
        if self._trainer is None or self.trainer.state.fn != TrainerFn.FITTING or "optimizer_states" not in checkpoint:
            return
        rehome(checkpoint, self.trainer)
        stored = checkpoint.get(HYPERPARAMETERS_KEY) or {}
        check_same_optimizer(stored, self.hyperparameters)
        if differs(stored, self.hyperparameters):
            take_config_rates(checkpoint, self.optimizer, self.scheduler)

    def on_train_batch_start(self, batch: FaceTriplet, batch_idx: int) -> None:
        """Continue the random numbers of the interrupted run; loaders have drawn theirs by now."""
        if self._random_state is not None:
            restore_random_state(self._random_state, self.global_rank)
            self._random_state = None
