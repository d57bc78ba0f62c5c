import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from mgc_lightning.encoders import Encoder, TimmBackbone
from mgc_lightning.errors import MGCError, MissingExtraError


def fake_timm(channels_last):
    """Stand in for timm: remember the call, give maps of 6 channels."""
    timm = ModuleType("timm")

    class Model(torch.nn.Module):
        pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
        feature_info = SimpleNamespace(channels=lambda: [6])

        def forward(self, images):
            features = torch.nn.functional.avg_pool2d(images, 32).repeat(1, 2, 1, 1)
            return [features.permute(0, 2, 3, 1) if channels_last else features]

    def create_model(name, **options):
        timm.call = (name, options)
        if name == "nothing":
            raise RuntimeError("Unknown model (nothing)")
        return Model()

    timm.create_model = create_model
    return timm


@pytest.mark.parametrize("channels_last", [False, True])
def test_last_feature_map_with_the_models_statistics(monkeypatch, channels_last):
    timm = fake_timm(channels_last)
    monkeypatch.setitem(sys.modules, "timm", timm)
    backbone = TimmBackbone("convnext_tiny", options={"drop_path_rate": 0.1})
    assert timm.call[0] == "convnext_tiny"
    assert timm.call[1] == {
        "pretrained": False,
        "features_only": True,
        "out_indices": [-1],
        "drop_path_rate": 0.1,
    }
    features = backbone(torch.full((2, 3, 96, 64), 0.75))
    torch.testing.assert_close(features, torch.ones(2, 6, 3, 2))
    assert Encoder(backbone, 10)(torch.rand(2, 3, 96, 64)).shape == (2, 10)


def test_unknown_model_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", fake_timm(False))
    with pytest.raises(MGCError, match="`nothing`"):
        TimmBackbone("nothing")


def test_missing_timm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"mgc-lightning\[timm\]"):
        TimmBackbone("resnet18")
