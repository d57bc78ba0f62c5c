"""Export the best weights when training ends."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from mgc_lightning.arguments.checked import checked
from mgc_lightning.files.weights import load_weights
from mgc_lightning.networks.export import ExportReport, export_network
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.settings import ExportFormat
from mgc_lightning.networks.stored import read_network
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.uploads import optional_upload

_log = logging.getLogger(__name__)


class ExportBestCheckpoint(L.Callback):
    """Export the best checkpoint of the run at the end of `fit`: ONNX, torch.export, safetensors.

    The weights are those of the trainer's first ModelCheckpoint, or the last ones where there is none or
    it has saved nothing. Every export is run and compared with the network; paths and differences are
    printed. Each W&B logger, online or offline, gets them as a model artifact with the aliases `best` and
    `latest`, and checkpoints as another: the best one and the last one, by these aliases. Rank zero only.

    Args:
        formats: of the files.
        folder: where to write; `export` in the folder of the run if not given.
        log_artifact: hand exports and checkpoints to W&B; a failing upload is a warning.

    Attributes:
        artifacts: label to path of what was written, for the summary of the run.
        report: the last export.

    Example:
        >>> best = L.pytorch.callbacks.ModelCheckpoint(monitor="val/nme")
        >>> trainer = L.Trainer(logger=False, callbacks=[best, ExportBestCheckpoint(formats=["onnx"])])
    """

    @checked
    def __init__(
        self,
        formats: Sequence[ExportFormat] = get_args(ExportFormat),
        folder: str | Path | None = None,
        log_artifact: bool = True,
    ) -> None:
        self.formats = tuple(formats)
        self.folder = folder
        self.log_artifact = log_artifact
        self.artifacts: dict[str, Path] = {}
        self.report: ExportReport | None = None

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Export on rank zero; dry runs (`fast_dev_run`) leave nothing behind."""
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        network, origin = best_network(trainer, pl_module)
        folder = Path(self.folder) if self.folder else run_folder(trainer) / "export"
        self.report = export_network(network, folder, self.formats)
        print(f"Exported {origin}:\n{self.report}", flush=True)
        self.artifacts = {f"export, {file.format}": file.path for file in self.report.files}
        if self.log_artifact:
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    with optional_upload(f"the export ({folder})"):
                        log_model_artifact(logger, self.report, origin)
                    with optional_upload(f"the checkpoints ({origin})"):
                        log_checkpoint_artifacts(logger, trainer)


def best_network(trainer: L.Trainer, pl_module: L.LightningModule) -> tuple[FaceNetwork, str]:
    """Give a copy of the module's network with the best weights, and where they came from."""
    network = cast(FaceNetwork, copy.deepcopy(pl_module.network)).cpu()
    best = str(getattr(trainer.checkpoint_callback, "best_model_path", "") or "")
    if best and not Path(best).is_file():
        _log.warning("The best checkpoint %s is gone or sharded: the last weights are exported.", best)
    if not best or not Path(best).is_file():
        return network, "the last weights"
    stored = read_network(best, programs=False)
    network.check_config(stored.config)
    load_weights(network, stored.weights or {}, best)
    return network, best


def log_model_artifact(logger: WandbLogger, report: ExportReport, origin: str) -> None:
    """Log the exported files as one model artifact of the run."""
    import wandb

    run = logger.experiment
    artifact = wandb.Artifact(
        f"network-{run.id}",
        type="model",
        description="ONNX, torch.export and safetensors exports of the best checkpoint",
        metadata={"origin": origin, "differences": {file.format: file.differences for file in report.files}},
    )
    for file in report.files:
        artifact.add_file(str(file.path))
    artifact.add_file(str(report.folder / "network.json"))
    run.log_artifact(artifact, aliases=["best", "latest"])


def log_checkpoint_artifacts(logger: WandbLogger, trainer: L.Trainer) -> None:
    """Log the best checkpoint as `best`, and the last as `latest` where it is another."""
    import wandb

    run = logger.experiment
    callback = trainer.checkpoint_callback
    best = Path(str(getattr(callback, "best_model_path", "") or ""))
    last = Path(str(getattr(callback, "last_model_path", "") or ""))
    found = {alias: path for alias, path in (("best", best), ("latest", last)) if path.is_file()}
    for alias, path in found.items():
        score = getattr(callback, "best_model_score", None) if alias == "best" else None
        metadata = {} if score is None else {str(getattr(callback, "monitor", "score")): float(score)}
        artifact = wandb.Artifact(f"checkpoint-{run.id}", type="checkpoint", metadata=metadata)
        artifact.add_file(str(path), name="last.ckpt" if alias == "latest" else "best.ckpt", policy="immutable")
        # A checkpoint that is alone is the latest too.
        run.log_artifact(artifact, aliases=[alias] if len(found) == 2 else ["best", "latest"])
