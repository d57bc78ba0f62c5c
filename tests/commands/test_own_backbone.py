"""A network with a backbone of one's own: the commands load it where its module is named, and say how otherwise."""

import sys

import pytest

from mgc_lightning.cli import main
from mgc_lightning.encoders import Encoder
from mgc_lightning.encoders.registry import record_init_args
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks import FaceNetwork, save_network

MODULE = "nets_of_a_project"
NETS = """
from torch import nn

class Blocks(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.num_features = width
        self.net = nn.Conv2d(3, width, 8, stride=8)

    def forward(self, images):
        return self.net(images)
"""


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """Give a network of a module in the working folder, which nothing has imported yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / f"{MODULE}.py").write_text(NETS)
    backbone = __import__(MODULE).Blocks(width=6)
    record_init_args(backbone, {"width": 6})
    model = load_face_model()
    path = tmp_path / "network.safetensors"
    save_network(FaceNetwork(Encoder(backbone, model.layout.total), model, image_size=64).eval(), path)
    del sys.modules[MODULE]
    yield path
    sys.modules.pop(MODULE, None)


def export(*arguments):
    with pytest.raises(SystemExit) as status:
        main(["export", "--formats", "safetensors", "--output", "out", *map(str, arguments)])
    return status.value.code


def test_its_module_is_named_on_the_command_line(checkpoint, tmp_path, capsys):
    assert export("--checkpoint", checkpoint) == 2
    assert f"name the module that defines it: --import {MODULE}" in capsys.readouterr().err
    assert MODULE not in sys.modules
    assert export("--checkpoint", checkpoint, "--import", "json", "--import", MODULE) == 0
    assert (tmp_path / "out" / "network.safetensors").is_file()
