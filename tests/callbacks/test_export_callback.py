"""At the end of fit the best weights are exported, not the last ones, and handed to the loggers."""

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from callbacks.export import ExportBestCheckpoint
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks import load_network
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork


class Small(L.LightningModule):
    """Train a network so that its validation score is best in the first epoch."""

    def __init__(self):
        super().__init__()
        model = load_face_model("makehuman", level=0)
        self.network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, 32)

    def training_step(self, batch, batch_idx):
        return self.network.predict_vector(batch)[:, :80].sub(1).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("score", float(self.current_epoch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.network.parameters(), lr=1e-3)

    def on_save_checkpoint(self, checkpoint):
        checkpoint[NETWORK_KEY] = self.network.config


def fit(tmp_path, *callbacks, logger=False, **options):
    images = torch.utils.data.DataLoader(torch.rand(4, 3, 32, 32), batch_size=2)
    trainer = L.Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        logger=logger,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        **options,
    )
    module = Small()
    trainer.fit(module, images, images)
    return module


def test_best_checkpoint_is_exported(tmp_path, capsys):
    best = ModelCheckpoint(monitor="score", mode="min", save_last=True)
    export = ExportBestCheckpoint(formats=("safetensors",))
    module = fit(tmp_path, export, best, logger=CSVLogger(tmp_path, name="run"))
    folder = tmp_path / "run" / "version_0" / "export"
    assert export.artifacts == {"export, safetensors": folder / "network.safetensors"}
    exported = load_network(folder).encoder.head.linear.bias
    stored = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    assert torch.equal(exported, stored["network.encoder.head.linear.bias"])
    assert not torch.equal(exported, module.network.encoder.head.linear.bias)
    printed = capsys.readouterr().out
    assert best.best_model_path in printed
    assert "max difference" in printed


def test_last_weights_without_checkpoints(tmp_path):
    export = ExportBestCheckpoint(formats=("safetensors",), folder=str(tmp_path / "out"))
    module = fit(tmp_path, export)
    exported = load_network(tmp_path / "out").encoder.head.linear.bias
    assert torch.equal(exported, module.network.encoder.head.linear.bias)


def test_dry_run_leaves_nothing(tmp_path):
    export = ExportBestCheckpoint()
    fit(tmp_path, export, fast_dev_run=True)
    assert export.report is None


@pytest.mark.filterwarnings("ignore")
def test_offline_wandb_gets_an_artifact(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    import wandb

    logged = []
    original = wandb.Run.log_artifact

    def watch(self, artifact, *args, **kwargs):
        logged.append((artifact.type, sorted(artifact.manifest.entries), kwargs))
        return original(self, artifact, *args, **kwargs)

    monkeypatch.setattr(wandb.Run, "log_artifact", watch)
    logger = WandbLogger(save_dir=tmp_path, project="test")
    try:
        fit(tmp_path, ExportBestCheckpoint(formats=("safetensors",)), logger=logger)
    finally:
        wandb.finish()
    assert logged == [("model", ["network.json", "network.safetensors"], {"aliases": ["best", "latest"]})]
