"""The multi-view losses improve the shape where a single view cannot: a small version of the benchmark."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from mgc_lightning.face_models import load_face_model
from mgc_lightning.synthetic.settings import SyntheticSettings


@pytest.fixture(scope="module")
def loss_limit():
    path = Path(__file__).parents[2] / "benchmarks" / "loss_limit.py"
    spec = importlib.util.spec_from_file_location("loss_limit", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def world():
    return SyntheticSettings(linked=1.0, unlinked=0.0, occluders=0.0, camera_noise=0.0, landmark_noise=1.0)


def test_table(loss_limit, capsys):
    batch = loss_limit.make_triplets(3, 48, 1000.0, 0, world())
    settings = {name: loss_limit.SETTINGS[name] for name in ("single view", "best mix")}
    rows = loss_limit.measure(batch, load_face_model(), settings, steps=2, chunk=2)
    assert [row.name for row in rows] == ["mean face", "landmarks alone", "single view", "best mix"]
    assert all(row.neutral.shape == (3,) for row in rows)
    assert rows[1].neutral.mean() < rows[0].neutral.mean()
    table = loss_limit.summarise(rows)
    assert table[2]["difference_mm"] == 0
    loss_limit.print_table(table, "f = 1000 px")
    assert "best mix" in capsys.readouterr().out


@pytest.mark.slow
def test_multi_view_losses_improve_the_neutral_shape(loss_limit):
    batch = loss_limit.make_triplets(8, 64, 1000.0, 0, world())
    settings = {name: loss_limit.SETTINGS[name] for name in ("single view", "best mix")}
    rows = {row.name: row.neutral for row in loss_limit.measure(batch, load_face_model(), settings, steps=80)}
    assert rows["single view"].mean() < 0.8 * rows["mean face"].mean()
    difference = rows["best mix"] - rows["single view"]
    assert difference.mean() < -0.1 * rows["single view"].mean()
    assert difference.mean() < -2 * loss_limit.standard_error(difference)
    assert torch.isfinite(difference).all()
