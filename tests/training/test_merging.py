"""Later configs and values are merged onto earlier ones, and what they drop is told."""

import pytest
import yaml

from mgc_lightning import cli
from mgc_lightning.training.flags import expand_groups


@pytest.fixture
def resolve(capsys, caplog):
    """Give the resolved config of `fit --config quickstart` and more arguments, and what was told of it."""

    def resolve(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["fit", "--config", "quickstart", *arguments, "--print_config"])
        printed = capsys.readouterr()
        assert not stop.value.code, printed.err
        return yaml.safe_load(printed.out), caplog.text

    return resolve


def overlay(folder, values):
    path = folder / f"overlay{len(list(folder.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump(values))
    return f"--config={path}"


def objective(config):
    return config["model"]["objective"]["init_args"]


@pytest.mark.parametrize(
    "given",
    [
        ["--model={'objective': {'weights': {'pixel': 0.7}}}"],  # a nested W&B sweep
        pytest.param(["--model", "{objective: {weights: {pixel: 0.7}}}"], marks=pytest.mark.slow),
        pytest.param(["--model.objective={'weights': {'pixel': 0.7}}"], marks=pytest.mark.slow),
        ["--model.objective.weights={'pixel': 0.7}"],
        {"model": {"objective": {"weights": {"pixel": 0.7}}}},
        {"model": {"objective": {"init_args": {"weights": {"init_args": {"pixel": 0.7}}}}}},
    ],
)
def test_a_nested_value_leaves_its_neighbours(given, resolve, tmp_path) -> None:
    arguments = [overlay(tmp_path, given)] if isinstance(given, dict) else given
    config, told = resolve(*arguments)
    weights = objective(config)["weights"]["init_args"]
    assert weights["pixel"] == 0.7
    # the quickstart's own
    assert (weights["landmark"], weights["identity"], weights["prior_identity"]) == (0.01, 0.0, 0.001)
    assert objective(config)["prior_ramp"] == {"start": 30.0, "until": 0.4, "begin": 0.0}
    assert objective(config)["extra"]["same_person"]["init_args"]["weight"] == 0.02
    assert config["model"]["image_size"] == 96
    assert "drops" not in told


@pytest.mark.parametrize("way", ["file", pytest.param("value", marks=pytest.mark.slow)])
def test_one_more_term_leaves_the_others(way, resolve, tmp_path) -> None:
    extra = {"mine": {"loss": "SamePerson", "weight": 3.0}}
    arguments = {
        "file": overlay(tmp_path, {"model": {"objective": {"extra": extra}}}),
        "value": f"--model.objective.extra={extra}",
    }
    terms = objective(resolve(arguments[way])[0])["extra"]
    assert {name: term["init_args"]["weight"] for name, term in terms.items()} == {"same_person": 0.02, "mine": 3.0}


@pytest.mark.slow
def test_a_part_of_a_term_leaves_the_rest_of_it(resolve, tmp_path) -> None:
    changed = overlay(tmp_path, {"model": {"objective": {"extra": {"same_person": {"weight": 3.0}}}}})
    term = objective(resolve(changed)[0])["extra"]["same_person"]["init_args"]
    assert term["weight"] == 3.0
    assert term["loss"]["class_path"].endswith("SamePerson")


@pytest.mark.parametrize("way", [pytest.param("file", marks=pytest.mark.slow), "value"])
def test_null_removes_a_term(way, resolve, tmp_path) -> None:
    arguments = {
        "file": overlay(tmp_path, {"model": {"objective": {"extra": {"same_person": None}}}}),
        "value": "--model.objective.extra.same_person=null",
    }
    assert objective(resolve(arguments[way])[0])["extra"] == {}


def test_the_trainer_as_a_whole_and_the_data_merge_too(resolve) -> None:
    config, told = resolve("--trainer={'max_steps': 3}", "--data={'init_args': {'settings': {'yaw_limit': 30}}}")
    assert config["trainer"]["max_steps"] == 3
    assert config["trainer"]["val_check_interval"] == 700
    assert len(config["trainer"]["callbacks"]) == 6
    assert config["model"]["scheduler"]["init_args"]["T_max"] == 3
    settings = config["data"]["init_args"]["settings"]["init_args"]
    assert (settings["yaw_limit"], settings["pitch_sigma"], settings["occluders"]) == (30.0, 2.0, 0.1)


def test_what_another_class_or_list_drops_is_told(resolve, tmp_path) -> None:
    changed = overlay(
        tmp_path,
        {
            "trainer": {"callbacks": [{"class_path": "callbacks.SummaryTable"}]},
            "model": {"optimizer": {"class_path": "torch.optim.SGD"}},
            "data": {"class_path": "datamodules.TripletDataModule", "init_args": {"path": "x"}},
        },
    )
    config, told = resolve(changed)
    assert config["model"]["optimizer"]["init_args"]["lr"] == 0.001  # SGD has it too
    (classes,) = {line for line in told.splitlines() if "SyntheticTriplets" in line}
    assert classes.endswith("drops what was said of SyntheticTriplets: face_model, face_model_level, settings")
    assert config["data"]["init_args"]["image_size"] == 96  # the model's, by the quickstart's reference
    (dropped,) = {line for line in told.splitlines() if "new list" in line}
    assert "drops TrainingProgress, ModelCheckpoint, ContactSheet, ValidationFaces, ExportBestCheckpoint;" in dropped
    assert "`trainer.callbacks+` would add" in dropped
    assert "Adam" not in told  # only its defaults went


def test_a_list_is_added_to(resolve, tmp_path) -> None:
    config, told = resolve(overlay(tmp_path, {"trainer": {"callbacks+": [{"class_path": "ModelSummary"}]}}))
    names = [each["class_path"].rpartition(".")[2] for each in config["trainer"]["callbacks"]]
    assert names[:2] + names[-1:] == ["TrainingProgress", "ModelCheckpoint", "ModelSummary"]
    assert "drops" not in told


def test_only_whole_groups_are_expanded(tmp_path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text("focal: 1.0e+3\nface_model: flame\n")
    assert expand_groups(["fit", "--model", str(file), "--model.focal", "3", "--data={'a': 1}"]) == [
        "fit",
        "--model.focal=1000.0",
        "--model.face_model=flame",
        "--model.focal",
        "3",
        "--data={'a': 1}",
    ]
