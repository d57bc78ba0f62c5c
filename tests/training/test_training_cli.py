"""The console program: configs by name, unknown keys, errors of one line."""

import pydoc
from typing import get_args

import pytest
import yaml

from mgc_lightning import cli
from mgc_lightning.encoders import ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.rendering.rasterizers import RasterizerName
from mgc_lightning.training.flags import find_config, resolve_configs
from mgc_lightning.training.wandb_mode import prepare_wandb


def test_configs_are_found_by_name_and_path(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quickstart", "configs/quickstart.yaml", "quickstart.yaml", "configs/quickstart"):
        assert find_config(name).name == "quickstart.yaml"
    own = tmp_path / "own.yaml"
    own.write_text("seed_everything: 1\n")
    assert find_config("own.yaml").read_text() == own.read_text()
    assert resolve_configs(["fit", "--config=own.yaml", "-c", "own.yaml"]) == [
        "fit",
        "--config=own.yaml",
        "-c",
        "own.yaml",
    ]


def test_a_missing_config_names_the_nearest() -> None:
    with pytest.raises(MGCError, match="Did you mean `quickstart`"):
        find_config("quikstart")


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("--model.objective.weights.pixle=1", "pixel"),
        ("--trainer.max_step=3", "trainer.max_steps"),
        ("--model.imagesize=96", "model.image_size"),
    ],
)
def test_an_unknown_key_names_the_nearest_valid_one(override, nearest, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "quickstart", override])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error:")
    assert nearest in message.split("Did you mean")[1]


def test_an_unknown_key_in_a_file_names_the_nearest_valid_one(tmp_path, capsys) -> None:
    config = tmp_path / "typo.yaml"
    config.write_text("model:\n  spatial_chanels: 3\n")
    with pytest.raises(SystemExit):
        cli.main(["fit", "--config", str(config)])
    assert "model.spatial_channels" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["mgc_lightning.ResNet", "mgc_lightning.encoders.resnet.ResNet"])
def test_a_class_goes_by_its_short_path_and_by_its_files(path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "quickstart", f"--model.backbone.class_path={path}", "--print_config"])
    assert not stop.value.code
    backbone = yaml.safe_load(capsys.readouterr().out)["model"]["backbone"]
    assert pydoc.locate(backbone["class_path"]) is ResNet
    assert backbone["init_args"]["width"] == 32


def test_commands_have_help(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for word in ("fit", "export", "reconstruct", "doctor"):
        assert word in printed


def test_wandb_is_offline_without_a_key(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    prepare_wandb()
    import os

    assert os.environ["WANDB_MODE"] == "offline"
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    prepare_wandb()
    assert "WANDB_MODE" not in os.environ


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--model.rasterizer=numa"],
            "`model.rasterizer` must be one of auto, numba, triton, pytorch3d; got 'numa'. Did you mean 'numba'?",
        ),
        (["--data.init_args.rasterizer=vulkan"], "`data.rasterizer` must be one of auto, numba, triton, pytorch3d"),
        (
            ["--trainer.callbacks+=NoWBenchmark", "--trainer.callbacks.challenge=selfi"],
            "`trainer.callbacks`: `challenge` must be one of multiview_neutral, multiview_expressions, "
            "multiview_occlusions, selfie; got 'selfi'. Did you mean 'selfie'?",
        ),
        (["--model.backbone.init_args.depth=19"], "`model.backbone.depth` must be one of 18, 34, 50; got '19'"),
    ],
)
def test_a_wrong_choice_is_told_with_the_right_ones(options, message, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "quickstart", *options])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert "NestedArg" not in said


@pytest.mark.parametrize(
    ("options", "key", "meant"),
    [
        (["--data.init_args.batch_sise=3"], "data", "batch_size"),
        (
            ["--trainer.callbacks+=NoWBenchmark", "--trainer.callbacks.challeng=selfie"],
            "trainer.callbacks",
            "challenge",
        ),
        (["--model.objective.weights.pixl=3"], "model.objective", "pixel"),
    ],
)
def test_a_wrong_argument_of_a_class_is_told_with_the_right_one(options, key, meant, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "quickstart", *options])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    wrong = options[-1].split("=")[0].rsplit(".", 1)[-1]
    assert said.startswith(f"error: `{key}`: ")
    assert f"Did you mean `{meant}` instead of `{wrong}`?" in said
    assert "NestedArg" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data.init_args.batch_size=0"], "`batch_size` must be a whole number of 1 to 65536; got 0"),
        (["--data.init_args.settings.linked=2"], "Shares must lie in [0, 1]"),
        (["--data", "datamodules.TripletDataModule", "--data.path=/nowhere"], "/nowhere: no finished set of triplets"),
        (
            ["--trainer.callbacks+=callbacks.NoWBenchmark", "--trainer.callbacks.jobs=0"],
            "`jobs` must be a whole number",
        ),
    ],
)
def test_what_a_class_refuses_is_one_message(options, message, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["fit", "--config", "quickstart", *options])
    error = capsys.readouterr().err
    assert f"error: {message}" in error
    assert "Traceback" not in error
    assert "Subtypes" not in error


def test_help_lists_the_choices(capsys) -> None:
    for flag, shown in (("--help", ", ".join), ("--help-all", ",".join)):
        with pytest.raises(SystemExit):
            cli.main(["fit", flag])
        assert shown(get_args(RasterizerName)) in " ".join(capsys.readouterr().out.split())


def test_help_is_two_screens_and_names_what_there_is(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "quickstart", "--help"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 110
    assert max(map(len, lines)) <= 110
    names = {line.split()[0] for line in lines if line.startswith("  ")}
    wanted = {"quickstart", "mgcnet", "image_size", "SyntheticTriplets", "TripletDataModule", "NoWBenchmark"}
    assert wanted | {"PixelConsistency", "SamePerson", "max_steps", "--ckpt_path"} <= names
