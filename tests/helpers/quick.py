"""A module and a trainer that cost nothing, for tests of callbacks."""

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from mgc_lightning.encoders import ResNet
from mgc_lightning.training.module import MGCModule


class Quick(MGCModule):
    """Skip the rendering of training and validation: only the callback matters here."""

    def training_step(self, batch, batch_idx):
        return self.network.predict_vector(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        return None

    def on_validation_epoch_end(self):
        self.last_scores = {}

    def on_train_batch_start(self, batch, batch_idx):
        return None

    def on_train_batch_end(self, outputs, batch, batch_idx):
        return None

    def test_step(self, batch, batch_idx):
        return None


def module():
    torch.manual_seed(0)
    # A class, because processes are started with a pickled module.
    return Quick(backbone=ResNet(18, width=4), image_size=32, optimizer=torch.optim.SGD)


def trainer(tmp_path, *callbacks, logger=False, **options):
    return L.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=logger,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        use_distributed_sampler=False,
        **options,
    )


def images():
    return torch.utils.data.DataLoader(torch.rand(2, 3, 32, 32), batch_size=2)
