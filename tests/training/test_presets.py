"""Every shipped preset is parsed, made and run two steps, or says in a sentence what this machine lacks for it."""

import importlib.util
from itertools import zip_longest
from typing import get_args

import pytest
import tiny_fit
import torch
import yaml

from mgc_lightning import cli
from mgc_lightning.face_models.names import EMBEDDED, ImportedModel
from mgc_lightning.files.places import configs_folder
from mgc_lightning.training.module import MGCModule

FOLDERS = ("ablation", "backbones", "debug", "face_models", "loggers", "trainers")
PRESETS = {folder: sorted(path.stem for path in (configs_folder() / folder).glob("*.yaml")) for folder in FOLDERS}
PROCESSES = ("trainers/ddp_cpu",)
"""Starts a process beside this one: tests of many processes run it."""
STUDY = ("ablation/study", "ablation/supervised")
"""A whole experiment, and its upper bound: tests of the study run them."""


def lack(preset: str) -> str | None:
    """Give a word of the sentence that says what this machine lacks for a preset; None if it lacks nothing."""
    config = yaml.safe_load((configs_folder() / f"{preset}.yaml").read_text())
    trainer, model = config.get("trainer", {}), config.get("model", {})
    if trainer.get("accelerator") == "gpu" and not torch.cuda.is_available():
        return "No supported gpu backend"
    if "Timm" in str(model) and importlib.util.find_spec("timm") is None:
        return "timm"
    if "TensorBoard" in str(trainer) and importlib.util.find_spec("tensorboard") is None:
        return "tensorboard"
    if model.get("face_model", "makehuman") != "makehuman":
        return "No face model `"  # tests have a cache of their own
    return None


NAMES = [f"{folder}/{name}" for folder in FOLDERS for name in PRESETS[folder] if f"{folder}/{name}" not in STUDY]
LACKING = {name: word for name in NAMES if (word := lack(name)) is not None}
RUN = {
    folder: [f"{folder}/{name}" for name in PRESETS[folder] if f"{folder}/{name}" not in (*LACKING, *PROCESSES, *STUDY)]
    for folder in FOLDERS
}
# One of each folder together, and two ablations, so that it is quick; what they say does not overlap.
ROUNDS = [
    [name for name in names if name]
    for names in zip_longest(RUN["ablation"][::2], RUN.pop("ablation")[1::2], *RUN.values())
]


def overlays(*names):
    return [f"--config={name}" for name in names]


@pytest.mark.parametrize("presets", ROUNDS, ids="+".join)
def test_presets_train_two_steps(presets, tmp_path, monkeypatch) -> None:
    # What presets say comes after what makes it tiny, but for the length.
    start = [argument for argument in tiny_fit.BARE if argument not in ("--trainer.logger=false",)]
    if any("backbones" in name for name in presets):
        start = [argument for argument in start if "backbone" not in argument]
    short = ["--trainer.max_steps=2", "--trainer.limit_val_batches=1", "--trainer.val_check_interval=1"]
    short += ["--trainer.check_val_every_n_epoch=1"]
    logger = [] if any("loggers" in name for name in presets) else ["--trainer.logger=false"]
    trained = []
    monkeypatch.setattr(MGCModule, "on_train_batch_end", lambda *arguments: trained.append(1))
    assert tiny_fit.run(tmp_path, *overlays(*presets), *short, *logger, base=start) == 0
    assert len(trained) == 2


# One of a kind stands for all: it is the same sentence, and the others are compared with what there is.
@pytest.mark.parametrize("preset", list({word: name for name, word in reversed(LACKING.items())}.values()))
def test_what_a_preset_lacks_here_is_one_sentence(preset, tmp_path, capsys) -> None:
    assert tiny_fit.run(tmp_path, *overlays(preset), "--trainer.fast_dev_run=true") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert LACKING[preset] in line


@pytest.mark.parametrize("preset", [name for name in NAMES if "trainers/ddp" in name])
def test_trainers_are_parsed_on_any_machine(preset, capsys) -> None:
    """Those for many GPUs are tried no further than this."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config=quickstart", *overlays(preset), "--print_config"])
    assert not stop.value.code
    resolved = yaml.safe_load(capsys.readouterr().out)["trainer"]
    wanted = yaml.safe_load((configs_folder() / f"{preset}.yaml").read_text())["trainer"]
    assert {key: resolved[key] for key in wanted} == wanted
    assert resolved["max_steps"] == 2800  # the quickstart's


def test_presets_name_face_models_that_there_are() -> None:
    known = {EMBEDDED, *get_args(ImportedModel)}
    for name in PRESETS["face_models"]:
        named = yaml.safe_load((configs_folder() / "face_models" / f"{name}.yaml").read_text())
        assert set(named) == {"model"}
        assert named["model"]["face_model"] in known


@pytest.mark.parametrize("name", ["pretrain", pytest.param("mgcnet", marks=pytest.mark.slow)])
def test_experiments_train_two_steps(name, tmp_path) -> None:
    """Those on photographs are tried beside their data modules."""
    tiny = [f"--config={name}", *tiny_fit.BARE[1:]]
    if name == "mgcnet":
        tiny = [argument for argument in tiny if "backbone" not in argument] + ["--model.backbone.depth=18"]
    tiny += ["--data.settings.supersampling=1.0", "--data.batch_size=2"]
    assert tiny_fit.run(tmp_path, "--trainer.limit_val_batches=1", base=tiny) == 0


def test_overfitting_sees_the_same_samples_again(tmp_path, monkeypatch) -> None:
    seen = []
    step = MGCModule.training_step

    def watch(self, batch, batch_idx):
        seen.append(batch.sample_id)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(MGCModule, "training_step", watch)
    arguments = [*overlays("debug/overfit"), "--trainer.max_steps=3", "--data.batch_size=2"]
    assert tiny_fit.run(tmp_path, *arguments) == 0
    assert len(seen) == 3
    assert len(seen[0]) == 2
    assert seen[0] == seen[1] == seen[2]


def test_a_dry_run_leaves_nothing(tmp_path) -> None:
    base = [*tiny_fit.TINY, "--trainer.enable_progress_bar=false"]
    assert tiny_fit.run(tmp_path, *overlays("debug/fast_dev_run"), base=base) == 0
    assert list(tmp_path.rglob("*")) == []


def test_data_follow_the_models_face(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["fit", "--config=quickstart", "--config=face_models/makehuman_fine", "--print_config"])
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["data"]["init_args"]["face_model_level"] == resolved["model"]["face_model_level"] == 1
