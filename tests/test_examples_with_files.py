"""The examples of docstrings that need files or an extra, which `--doctest-modules` passes over, run here.

What they take lies in the working folder, under the names that they use. Not run: those that need files which nobody
may pass on (`import_face_model`: FLAME; `import_official` and `convert_official`: the authors' files; face-alignment's
weights where they are not on this machine).
"""

import doctest
import importlib
import os
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from textured_scans import write_scan

from mgc_lightning import MGCError, MGCModule, load_face_model
from mgc_lightning.encoders import ResNet
from mgc_lightning.photographs.face_alignment_detector import FAN_URL, SFD_URL
from mgc_lightning.photographs.weights import find_weights
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.now_set import NoWSetSettings, write_now_set
from mgc_lightning.synthetic.realy_set import REALYSetSettings, write_realy_set
from mgc_lightning.synthetic.settings import SyntheticSettings

pytestmark = pytest.mark.slow


def run_examples(module: str, name: str) -> None:
    """Run all examples of one object, those marked +SKIP too, as doctest does with them."""
    loaded = importlib.import_module(module)
    target = getattr(loaded, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(target, name, module=loaded, globs=vars(loaded).copy())
    assert any(doctest.SKIP in example.options for example in test.examples), f"{name} has no passed-over example"
    for example in test.examples:
        example.options.pop(doctest.SKIP, None)
    said: list[str] = []
    failed, ran = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)
    assert ran == len(test.examples)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_now_set(folder / "now", load_face_model(level=1), NoWSetSettings())
    write_realy_set(folder / "realy", load_face_model(level=1), REALYSetSettings())
    return folder


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("mgc_lightning.evaluation.now.benchmark", "benchmark_now"),
        ("mgc_lightning.evaluation.now.submission", "submit_now"),
        ("mgc_lightning.evaluation.realy.benchmark", "benchmark_realy"),
        ("mgc_lightning.evaluation.realy.submission", "submit_realy"),
        ("datamodules.now", "NoWDataModule"),
        ("datamodules.realy", "REALYDataModule"),
    ],
)
def test_on_written_sets(sets, here, module, name):
    for kind in ("now", "realy"):
        os.symlink(sets / kind, here / kind)
    run_examples(module, name)


@pytest.mark.parametrize("kind", ["now", "realy"])
def test_sets_are_written(here, kind):
    run_examples(f"mgc_lightning.synthetic.{kind}_set", f"write_{kind}_set")
    assert (here / kind).is_dir()


def test_a_network_is_packed(here):
    write_checkpoint(here / "best.ckpt")
    run_examples("mgc_lightning.networks.packing", "pack_network")


def test_heads_are_scored(here):
    pytest.importorskip("mediapipe")
    write_scan(here, "anna")
    run_examples("mgc_lightning.evaluation.scan.run", "benchmark_scans")


def write_checkpoint(path: Path) -> None:
    """Write what a training of no step leaves."""
    module = MGCModule(backbone=ResNet(18, width=4), image_size=32)
    trainer = L.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)


def write_photograph(path: Path) -> None:
    torch.manual_seed(0)
    triplets = make_triplets(load_face_model(level=1), 1, image_size=256, settings=SyntheticSettings())
    array = (triplets.images[0, 0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.pad(array, ((128, 128), (128, 128), (0, 0)), mode="edge")).save(path, quality=95)


def test_photographs_are_reconstructed(here):
    pytest.importorskip("mediapipe")
    write_photograph(here / "anna.jpg")
    run_examples("mgc_lightning.reconstruction.files", "write_reconstruction")
    write_checkpoint(here / "best.ckpt")
    write_photograph(here / "holiday" / "beach.jpg")
    run_examples("mgc_lightning.reconstruction.run", "reconstruct")


def test_mediapipe_finds_faces(here):
    pytest.importorskip("mediapipe")
    write_photograph(here / "group.jpg")
    run_examples("mgc_lightning.photographs.detectors", "make_detector")


def test_backbones_of_timm():
    pytest.importorskip("timm")
    run_examples("mgc_lightning.encoders.timm_backbone", "TimmBackbone")


def test_face_alignment(here):
    try:
        find_weights(SFD_URL), find_weights(FAN_URL)
    except MGCError as error:
        pytest.skip(str(error))
    (here / "weights").mkdir()
    run_examples("mgc_lightning.photographs.face_alignment_detector", "FaceAlignmentDetector")
