"""The same code with every face model: rendering, losses, fitting, training, export, changing one name."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

import lightning as L
from owner_files import WRITERS, tiny_face
from torch.utils.data import DataLoader

from mgc_lightning.encoders import ResNet
from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.importing import import_face_model
from mgc_lightning.fitting.objective_fit import fit
from mgc_lightning.losses.objective import MGCObjective
from mgc_lightning.networks.export import export_network
from mgc_lightning.networks.files import load_network
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.training.module import MGCModule

SIZE = 64


@pytest.fixture(scope="module")
def face():
    return tiny_face()


@pytest.fixture(scope="module")
def batch():
    """Two triplets of the embedded generator, as any photographs."""
    return make_triplets(load_face_model(), 2, image_size=SIZE)


@pytest.fixture(params=["makehuman", "bfm09", "bfm09-deep3d", "bfm17", "flame2020", "ict"])
def name(request, face, tmp_path):
    if request.param != "makehuman":
        import_face_model(request.param, WRITERS[request.param](tmp_path, face))
    return request.param


def test_fitting_lowers_the_objective(name, batch):
    result = fit(load_face_model(name), FaceRenderer(), MGCObjective(), batch, steps=6)
    total = result.history["total"]
    assert total[-1] < total[0]
    assert all(torch.isfinite(values).all() for values in result.report.terms.values())
    assert result.views.rendered.mask.mean() > 0.05


def test_training_and_export(name, batch, tmp_path):
    module = MGCModule(ResNet(18, width=8), face_model=name, image_size=SIZE)
    loader = DataLoader([0], collate_fn=lambda _: replace(batch))
    before = module.network.encoder.head.linear.weight.detach().clone()
    trainer = L.Trainer(
        fast_dev_run=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(module, loader, loader)
    assert not torch.equal(before, module.network.encoder.head.linear.weight)
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    assert torch.isfinite(trainer.callback_metrics["val/nme"])

    export_network(module.network, tmp_path / "export", ["safetensors"])
    again = load_network(tmp_path / "export")
    assert again.face_model.name == name
    module.eval()
    images = batch.images[:, 0]
    torch.testing.assert_close(again(images), module(images))
