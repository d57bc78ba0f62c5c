"""Losses and a backbone of one's own, as the pages show them: trained, exported, loaded, scored, resumed."""

import logging
import os
import re
import subprocess
import sys

import pytest
import quick
import torch
import yaml
from pages import PAGES, blocks
from torch import nn

from callbacks.export import ExportBestCheckpoint
from mgc_lightning import cli
from mgc_lightning.errors import MGCError
from mgc_lightning.networks.files import load_network
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.training.flags import gather_imports
from mgc_lightning.training.trust import trusted

MODULES = {block.file: block for page in PAGES for block in blocks(page, "python") if block.file.startswith("my_")}
CONFIGS = [
    block.code for page in PAGES for block in blocks(page, "yaml") if re.search(r"my_(losses|nets)\.", block.code)
]
DATA = {"class_path": "datamodules.SyntheticTriplets",
        "init_args": {"image_size": 32, "batch_size": 2, "val_size": 1, "test_size": 2, "train_size": 8,
                      "settings": {"linked": 1.0, "unlinked": 0.0}}}  # fmt: skip


def merged(*trees):
    result = {}
    for tree in trees:
        for key, value in tree.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Train as the pages say, two steps, by a console script in a folder of the user's own."""
    folder, scripts = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("bin")
    assert set(MODULES) == {"my_losses.py", "my_nets.py"}
    for name, block in MODULES.items():
        (folder / name).write_text(block.code)
    config = merged(*map(yaml.safe_load, CONFIGS))
    assert set(config["model"]) == {"objective", "backbone"}
    checkpoints = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"filename": "it"}}
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "runs", "name": "own"}}
    trainer = {"max_steps": 2, "logger": logger, "enable_progress_bar": False, "limit_val_batches": 0,
               "callbacks": [checkpoints, {"class_path": "callbacks.ExportBestCheckpoint"}]}  # fmt: skip
    shrunk = {"model": {"image_size": 32, "spatial_channels": 4, "backbone": {"init_args": {"width": 8}}}}
    (folder / "own.yaml").write_text(yaml.safe_dump(merged(config, shrunk, {"data": DATA, "trainer": trainer})))
    (folder / "score.yaml").write_text(
        yaml.safe_dump({"model": {"image_size": 32}, "data": DATA, "trainer": {"logger": False}})
    )
    (scripts / "lightning").write_text("from mgc_lightning.cli import main\nmain()\n")
    done = subprocess.run(
        [sys.executable, str(scripts / "lightning"), "fit", "--config", "own.yaml"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def inside(project, monkeypatch):
    """Work in the project; what it defines is forgotten afterwards."""
    monkeypatch.chdir(project[0])
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield project[0]
    for name in ("my_nets", "my_losses"):
        sys.modules.pop(name, None)


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    return stop.value.code


CHECKPOINT = "runs/own/version_0/checkpoints/it.ckpt"


def test_training_says_first_how_the_network_is_loaded_and_exports_last(project):
    folder, done = project
    assert "`my_nets.Blocks` is yours: name its module to load the network, --import my_nets" in done.stderr
    exported = {path.name for path in (folder / "runs/own/version_0/export").iterdir()}
    assert exported == {"network.onnx", "network.pt2", "network.safetensors", "network.json"}


def test_a_checkpoint_and_an_export_load_where_the_module_is_named(inside):
    for path in (CHECKPOINT, "runs/own/version_0/export/network.safetensors"):
        with pytest.raises(MGCError, match=r"`my_nets.Blocks`, which is not registered.*imports=\['my_nets'\]"):
            load_network(path)
        assert "my_nets" not in sys.modules
    sys.path.append(str(inside))
    network = load_network(CHECKPOINT, imports=["my_nets"])
    images = torch.rand(1, 3, 32, 32)
    exported = FaceReconstructor.load("runs/own/version_0/export/network.safetensors", imports=["my_nets"])
    program = FaceReconstructor.load("runs/own/version_0/export/network.onnx")
    for other in (exported, program):
        torch.testing.assert_close(other.predict(images).to_vector(), network.predict_vector(images).detach())


def test_a_command_takes_the_module(inside, capsys, tmp_path):
    arguments = ["export", "--checkpoint", CHECKPOINT, "--output", str(tmp_path), "--formats", "safetensors"]
    assert run(*arguments) == 2
    assert "name the module that defines it: --import my_nets" in capsys.readouterr().err
    assert run(*arguments, "--import", "my_nets") == 0
    assert "To load the safetensors file, name the module of its backbone: --import my_nets" in capsys.readouterr().out


def test_scoring_takes_from_a_checkpoint_what_the_user_names(inside, capsys, caplog):
    arguments = ["test", "--config", "score.yaml", "--ckpt_path", CHECKPOINT]
    assert run(*arguments) == 2
    assert "backbone is `my_nets.Blocks`, of a module that you did not name. If you trust it: --import my_nets" in (
        capsys.readouterr().err
    )
    assert "my_nets" not in sys.modules
    with caplog.at_level(logging.WARNING):
        assert run(*arguments, "--import", "my_nets") == 0
    assert "objective names `my_losses.AbsolutePixel`, `my_losses.NoseLoss`, of a module that you did not name" in (
        caplog.text
    )
    assert "Or: --import my_losses" in caplog.text
    assert "my_losses" not in sys.modules
    assert "test/nose" not in capsys.readouterr().out
    assert run(*arguments, "--import=my_nets", "--import", "my_losses") == 0
    printed = capsys.readouterr().out
    assert "test/nose" in printed
    assert "test/absolute_pixel" in printed


def test_a_run_is_continued_with_its_config(inside, capsys):
    arguments = ["--config", "own.yaml", "--ckpt_path", CHECKPOINT, "--trainer.max_steps=3", "--trainer.callbacks=[]"]
    assert run("fit", *arguments, "--trainer.logger=false") == 0
    wider = ["--model.backbone.init_args.width=16"]
    assert run("fit", *arguments, "--trainer.logger=false", *wider) == 2
    assert "The checkpoint's encoder is" in capsys.readouterr().err


def test_what_cannot_be_built_again_is_told_at_the_start(tmp_path, caplog, capsys):
    class Local(nn.Module):
        def __init__(self):
            super().__init__()
            self.num_features = 4
            self.net = nn.Conv2d(3, 4, 8, stride=8)

        def forward(self, images):
            return self.net(images)

    class Watch(ExportBestCheckpoint):
        def on_train_start(self, trainer, pl_module):
            self.told = caplog.text

    module, callback = quick.Quick(backbone=Local(), image_size=32, optimizer=torch.optim.SGD), Watch()
    with caplog.at_level(logging.WARNING):
        quick.trainer(tmp_path, callback, max_steps=1, limit_val_batches=0).fit(module, quick.images())
    assert "Local` again from a checkpoint. Its class is defined in a function" in callback.told
    assert "the exports to ONNX and torch.export work; loading the .ckpt or the .safetensors" in callback.told
    assert [file.format for file in callback.report.files] == ["onnx", "torch", "safetensors"]
    assert "no program can build its backbone" in capsys.readouterr().out


def test_hyperparameters_bring_no_code():
    """Class paths, and names where a class could stand; an evaluation needs no optimiser, of whatever module."""
    kept, report = trusted(
        {
            "image_size": 96,
            "optimizer": "os.system",
            "objective": {"extra": {"a": {"loss": "antigravity.Loss"}, "b": {"loss": {"class_path": "x.Y"}}}},
            "output_scaling": {"class_path": "mgc_lightning.networks.output_scaling.OutputScaling"},
        },
        {},
        {},
        [],
    )
    assert sorted(kept) == ["image_size", "output_scaling"]
    (line,) = report
    assert "`antigravity.Loss`, `x.Y`" in line
    assert "`imports=['antigravity', 'x']`" in line
    with pytest.raises(MGCError, match=r"`imports=\['antigravity'\]`"):
        trusted({"backbone": "antigravity.Net"}, {}, {}, ["x"])
    # What the config sets is the user's word.
    assert trusted({"backbone": {"class_path": "x.Y"}}, {"backbone": {"class_path": "x.Z"}}, {}, [])[1] == []
    assert "antigravity" not in sys.modules


def test_every_import_of_the_command_line_is_gathered():
    assert gather_imports(["fit", "--import", "a", "--config", "c", "--import=b.d"]) == [
        "fit", "--config", "c", '--import=["a", "b.d"]'
    ]  # fmt: skip
    assert gather_imports(["fit", "--import", "['a']"]) == ["fit", "--import", "['a']"]
