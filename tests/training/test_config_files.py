"""Configs that cannot be meant: one message that names the key or the line, and nothing is trained."""

import functools
import time

import lightning.pytorch as pl
import pytest

from mgc_lightning import cli
from mgc_lightning.errors import MGCError
from mgc_lightning.training.config_files import check_config

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\xff\x10\x80" * 100, "expected (UTF-8 )?text"),
        (b"model: {focal: 1}\ndata: x\nmodel: {focal: 2}\n", "line 3: the key `model` is there twice"),
        (b"model:\n  focal: 1\n  focal: 2\n", "line 3: the key `focal` is there twice, first in line 2"),
        (BOMB.encode(), "unpacks to more than 100000 values"),
        (b"a: &a [*a]\n", "names nothing|inside what it names"),
        (b"a: " + b"[" * 10000, "nested too deep|no YAML"),
        (b"a: [1, 2\nb: 3\n", "line 2: no YAML"),
        (b"", "the config is empty"),
        (b"- a\n- b\n", "expected a config, keys and values"),
        (b"a: 1\nb: {k:" + b"k" * 5000 + b"}\n", "line 2: the key `k:kkk.* has more than 200 letters"),
        (b"a: 1\n---\na: 2\n", "line 2: a second document"),
        (b"a: 1\n" * 300000, "at most 1 MB"),
        ("model: {face_model: José}\n".encode("latin-1"), "line 1: expected UTF-8 text, got the byte 0xe9"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, content, message):
    (tmp_path / "mine.yaml").write_bytes(content)
    began = time.monotonic()
    with pytest.raises(MGCError, match=message):
        check_config(tmp_path / "mine.yaml")
    assert time.monotonic() - began < 5


def test_anchors_and_merges_of_ordinary_configs_stay(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\ny: [*base, *base]\n")
    check_config(tmp_path / "mine.yaml")


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    """Build what a config says, and train nothing."""
    monkeypatch.chdir(tmp_path)
    fit = pl.Trainer.fit
    fitted = []
    monkeypatch.setattr(pl.Trainer, "fit", functools.wraps(fit)(lambda self, *args, **named: fitted.append(1)))
    return fitted


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) <= 4
    return error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.focal=.nan"], "`focal` must be a number of 1 to 10000000; got nan"),
        (["--model.focal=.inf"], "`focal`"),
        (["--model.focal=-1"], "`focal`"),
        (["--model.image_size=1000000"], "`image_size` must be a whole number of 1 to 4096"),
        (["--model.image_size=-64"], "`image_size`"),
        (["--model.spatial_channels=-1"], "`spatial_channels`"),
        (["--model.spatial_channels=1000000000"], "`spatial_channels`"),
        (["--model.backbone.init_args.width=1000000"], "`width` must be a whole number of 1 to 4096"),
        (["--model.backbone.init_args.depth=19"], "depth` must be one of 18, 34, 50"),
        (["--model.max_nonfinite_steps=0"], "`max_nonfinite_steps`"),
        (["--model.objective.weights.landmark=-1"], "`landmark` must be a number of at least 0"),
        (["--model.objective.weights.landmark=.nan"], "`landmark`"),
        (["--model.objective.landmark_detail=.inf"], "`landmark_detail`"),
        (["--model.output_scaling.light=.nan"], "`light`"),
        (["--data.init_args.num_workers=-1"], "`num_workers` must be a whole number of 0 to 1024"),
        (["--data.init_args.num_workers=100000"], "`num_workers`"),
        (["--data.init_args.seed=-1"], "`seed` must be a whole number of 0"),
        (["--data.init_args.batch_size=1000000000"], "`batch_size`"),
        (["--data.init_args.settings.roll=.inf"], "`roll`"),
        (["--seed_everything=-1"], "`seed_everything` must be a whole number of 0 to 4294967295"),
        (["--trainer.devices=9999", "--trainer.accelerator=cpu"], "`trainer.devices` is the number of processes here"),
        (["--trainer.devices=-3"], "The config gives what cannot be used"),
        (["--trainer.max_epochs=-7"], "The config gives what cannot be used"),
        (["--trainer.accelerator=warp"], "The config gives what cannot be used"),
        (["--trainer.logger=lightning.pytorch.loggers.CometLogger"], "Install it, or take another"),
        (["--data=NoSuchData"], "`data`"),
    ],
)
def test_a_value_that_cannot_be_meant_is_told_by_its_key(untrained, capsys, options, message):
    assert message in told(capsys, "--config", "quickstart", *options)
    assert untrained == []


def test_no_config_at_all(untrained, capsys):
    assert "`fit` needs data: give a config, such as `--config quickstart`" in told(capsys)


def test_data_modules_and_callbacks_have_short_names(untrained, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--data", "SyntheticTriplets", "--data.image_size=32", "--data.batch_size=2",
                  "--model.image_size=32", "--model.spatial_channels=4",
                  "--trainer.callbacks+=SummaryTable", "--trainer.logger=false"])  # fmt: skip
    assert stop.value.code == 0, capsys.readouterr().err
    assert untrained == [1]


def test_an_optimiser_that_refuses_its_arguments_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    error = told(capsys, "--config", "quickstart", "--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=.nan",
                 "--trainer.logger=false", "--trainer.callbacks=[]", "--data.init_args.batch_size=1")  # fmt: skip
    assert "`optimizer` or `scheduler` cannot be made: Invalid learning rate: nan" in error
