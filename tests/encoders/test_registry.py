"""Backbones of one's own are written down, built again where the user names their module, and never confused."""

import random
import sys

import numpy as np
import pytest
import torch
from torch import nn

from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import (
    BACKBONES,
    build_encoder,
    describe_backbone,
    describe_encoder,
    record_init_args,
    register_backbone,
    same_encoder,
)
from mgc_lightning.errors import MGCError

NETS = """
from torch import nn

class Blocks(nn.Module):
    def __init__(self, width=8, norm=None):
        super().__init__()
        self.num_features = width
        self.net = nn.Conv2d(3, width, 8, stride=8)

    def forward(self, images):
        return self.net(images)

class ResNet(Blocks):
    pass
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """Put a module of a user's own where it can be imported; forget it afterwards."""
    (tmp_path / "nets_of_a_user.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "nets_of_a_user"
    sys.modules.pop("nets_of_a_user", None)


def described(path, **init_args):
    backbone = {"class": path.rpartition(".")[2], "class_path": path, "init_args": init_args}
    return {"backbone": backbone, "num_outputs": 5, "spatial_channels": 0, "spatial_size": 3}


def made(module, name="Blocks", **init_args):
    backbone = getattr(__import__(module), name)(**init_args)
    record_init_args(backbone, init_args)
    return backbone


def test_a_named_module_is_imported_and_its_class_built(nets):
    encoder = build_encoder(described(f"{nets}.Blocks", width=6), imports=[nets])
    assert encoder(torch.rand(1, 3, 32, 32)).shape == (1, 5)
    assert describe_encoder(Encoder(made(nets, width=6), 5, 0)) == described(f"{nets}.Blocks", width=6)


def test_nothing_is_imported_that_the_user_did_not_name(nets):
    with pytest.raises(MGCError, match=rf"`{nets}.Blocks`, which is not registered.*`imports=\['{nets}'\]`"):
        build_encoder(described(f"{nets}.Blocks"))
    assert nets not in sys.modules
    # A module that is there already is no permission either.
    __import__(nets)
    with pytest.raises(MGCError, match="not registered"):
        build_encoder(described(f"{nets}.Blocks"))


@pytest.mark.parametrize("path", ["{}.nn.Conv2d", "{}.nn", "{}.Missing", "torch.nn.Conv2d", "os.system", "{}"])
def test_a_named_module_gives_its_own_backbones_only(nets, path):
    with pytest.raises(MGCError, match="not registered"):
        build_encoder(described(path.format(nets), width=6), imports=[nets])


def test_a_package_that_is_named_gives_what_it_has_imported(tmp_path, monkeypatch):
    folder = tmp_path / "project_of_a_user"
    folder.mkdir()
    (folder / "__init__.py").write_text("from project_of_a_user.nets import Blocks\n")
    (folder / "nets.py").write_text(NETS)
    (folder / "other.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        path = "project_of_a_user.nets.Blocks"
        assert build_encoder(described(path), imports=["project_of_a_user"]).backbone.num_features == 8
        with pytest.raises(MGCError, match="not registered"):
            build_encoder(described("project_of_a_user.other.Blocks"), imports=["project_of_a_user"])
        assert "project_of_a_user.other" not in sys.modules
    finally:
        for name in [name for name in sys.modules if name.startswith("project_of_a_user")]:
            del sys.modules[name]


def test_a_class_of_the_name_of_ours_is_not_ours(nets):
    theirs = describe_encoder(Encoder(made(nets, "ResNet", width=6), 5, 0))
    assert type(build_encoder(theirs, imports=[nets]).backbone).__module__ == nets
    with pytest.raises(MGCError, match=rf"`{nets}.ResNet`, which is not registered"):
        build_encoder(theirs)
    assert not same_encoder(theirs, describe_encoder(Encoder(ResNet(18, width=6), 5, 0)))


@pytest.mark.parametrize("path", [None, "mgc_lightning.encoders.resnet.ResNet", "mgc_lightning.an_earlier_room.ResNet"])
def test_ours_are_built_whatever_room_they_were_in(path):
    description = described("mgc_lightning.encoders.resnet.ResNet", depth=18, width=4)
    if path is None:
        del description["backbone"]["class_path"]
    else:
        description["backbone"]["class_path"] = path
    assert isinstance(build_encoder(description).backbone, ResNet)
    assert same_encoder(description, describe_encoder(Encoder(ResNet(18, width=4), 5, 0))) is False
    description["backbone"]["init_args"]["normalise"] = True
    assert same_encoder(description, describe_encoder(Encoder(ResNet(18, width=4), 5, 0)))


def test_earlier_descriptions_of_own_backbones_load(nets):
    """They have a bare name, and often no arguments: those are not compared on resuming."""
    description = described(f"{nets}.Blocks", width=6)
    del description["backbone"]["class_path"]
    assert build_encoder(description, imports=[nets]).backbone.num_features == 6
    description["backbone"]["init_args"] = None
    assert same_encoder(description, describe_encoder(Encoder(made(nets, width=6), 5, 0)))
    with pytest.raises(MGCError, match="does not say how its backbone"):
        build_encoder(description, imports=[nets])


def test_registration_records_arguments():
    @register_backbone
    class Wide(nn.Module):
        def __init__(self, first, /, width=4, *rest, factor=2, **more):
            super().__init__()
            self.num_features = width

    try:
        # Positional-only arguments and rests cannot be passed by name.
        assert describe_backbone(Wide(1, 2))["init_args"] is None
        with pytest.raises(TypeError, match="first"):
            Wide()
    finally:
        del BACKBONES["Wide"]

    @register_backbone
    class Plain(nn.Module):
        def __init__(self, width=4, *, factor=2, **more):
            super().__init__()
            self.num_features = width

    class Heir(Plain):
        def __init__(self):
            super().__init__(9)

    try:
        assert describe_backbone(Plain(6, colour="red"))["init_args"] == {"width": 6, "factor": 2, "colour": "red"}
        assert describe_backbone(Heir())["init_args"] is None
    finally:
        del BACKBONES["Plain"]


def test_registration_refuses_a_name_that_is_taken():
    with pytest.raises(MGCError, match=r"`mgc_lightning.encoders.resnet.ResNet` has the same name"):
        register_backbone(type("ResNet", (nn.Module,), {"__module__": "nets_of_a_user"}))
    assert BACKBONES["ResNet"] is ResNet
    first = type("Mine", (nn.Module,), {"__module__": "nets_of_a_user"})
    again = type("Mine", (nn.Module,), {"__module__": "nets_of_a_user"})
    try:
        # A module that is imported again defines its classes again.
        assert register_backbone(again) is not register_backbone(first)
        assert BACKBONES["Mine"] is first
    finally:
        del BACKBONES["Mine"]


def test_what_cannot_be_built_again_is_told_with_its_reason(nets):
    class Local(nn.Identity):
        num_features = 3

    assert "defined in a function" in rebuilding_trouble(Local())
    script = type("Net", (nn.Identity,), {"__module__": "__main__"})()
    assert "defined in the script" in rebuilding_trouble(script)
    backbone = made(nets, width=6)
    assert rebuilding_trouble(backbone) is None
    record_init_args(backbone, None)
    assert "arguments are not known" in rebuilding_trouble(backbone)
    record_init_args(backbone, {"width": 6, "norm": nn.Identity})
    assert "['norm'] are no plain values" in rebuilding_trouble(backbone)
    assert describe_backbone(backbone)["init_args"] is None
    record_init_args(backbone, {"width": 6, "norm": {"class_path": "torch.nn.Identity"}})
    assert "['norm'] are no plain values" in rebuilding_trouble(backbone)
    record_init_args(backbone, {"widht": 6})
    assert "TypeError" in rebuilding_trouble(backbone)
    record_init_args(backbone, {"width": 5})
    assert "it has other weights (net.bias, net.weight, ...)" in rebuilding_trouble(backbone)


def test_the_trial_draws_no_random_numbers(nets, request):
    if request.config.getoption("--check-types", False):
        pytest.skip("beartype draws random numbers to choose what it looks at")
    backbone = made(nets, width=6)

    def numbers():
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        if tried:
            rebuilding_trouble(backbone)
        return torch.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002

    tried = False
    expected = numbers()
    tried = True
    assert numbers() == expected


def test_a_backbone_that_does_not_say_its_features_is_one_clear_error():
    with pytest.raises(MGCError, match="Identity needs an attribute `num_features`"):
        Encoder(nn.Identity(), 5)


@pytest.mark.parametrize("path", [5, "", "a b.Blocks", "os.system; x", ["my.Net"]])
def test_a_class_path_that_is_none_is_said(path):
    with pytest.raises(MGCError, match="expected `module.Class`"):
        build_encoder({"backbone": {"class": "Net", "class_path": path, "init_args": {}}})


@pytest.mark.parametrize("path", ["subprocess.Popen", "os.path.Net", "builtins.eval"])
def test_nobody_is_advised_to_import_what_has_no_networks(path):
    with pytest.raises(MGCError, match="do not trust it") as caught:
        build_encoder(described(path))
    assert "imports=" not in str(caught.value)
