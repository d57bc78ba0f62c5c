"""Sweep files: the shipped ones are read whole, and mistakes in others are told."""

import pytest
import yaml

from mgc_lightning.errors import MGCError
from mgc_lightning.files.places import configs_folder
from mgc_lightning.sweeps.file import Hyperband, read_sweep, trial_command

SHIPPED = sorted((configs_folder() / "sweeps").glob("*.yaml"))
GOOD = {
    "method": "random",
    "metric": {"name": "val/posed"},
    "command": ["lightning", "fit", "${args}"],
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


def test_all_methods_are_shipped() -> None:
    assert {read_sweep(path).method for path in SHIPPED} == {"random", "grid", "bayes"}
    names = {name for path in SHIPPED for name in read_sweep(path).parameters}
    assert {"model.optimizer.init_args.lr", "model.backbone.init_args.depth", "model.objective.weights.pixel"} <= names


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_sweeps_name_keys_that_exist_and_upload_no_export(path, capsys) -> None:
    from mgc_lightning import cli

    sweep = read_sweep(path)
    values = {name: made.choices[-1] if made.choices else made.high for name, made in sweep.parameters.items()}
    line = trial_command(sweep, values)
    with pytest.raises(SystemExit) as stop:
        cli.main([*line[3:], "--print_config"])
    assert stop.value.code in (0, None)
    config = yaml.safe_load(capsys.readouterr().out)
    assert sweep.project == config["trainer"]["logger"]["init_args"]["project"]
    assert config["trainer"]["logger"]["init_args"]["log_model"] is False
    assert not any("Export" in callback["class_path"] for callback in config["trainer"]["callbacks"])
    for name, value in values.items():
        node = config
        for part in name.split("."):
            node = node[part] if part in node else node["init_args"][part]
        assert node == value, name


def test_shipped_sweeps_have_short_names() -> None:
    assert read_sweep("quickstart").path == read_sweep("sweeps/quickstart").path


def test_hyperband_has_the_brackets_of_wandb(tmp_path) -> None:
    def hyperband(**keys):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(GOOD | {"early_terminate": {"type": "hyperband", **keys}}))
        return read_sweep(path).hyperband

    assert hyperband(min_iter=2) == Hyperband(2, 3)
    # the last of two brackets is at max_iter / eta, the first at max_iter / eta^2
    assert hyperband(max_iter=27, s=2) == Hyperband(3, 3)
    assert hyperband(max_iter=16, s=3, eta=2, strict=True) == Hyperband(2, 2)


def test_macros_are_those_of_wandb_agents(tmp_path, monkeypatch) -> None:
    from wandb.sdk.launch.sweeps import utils

    monkeypatch.setenv("QUEUE", "night")
    values = {"a.b": 0.001, "flag": True, "off": False, "name": "x y", "count": 3}
    theirs = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
    for macro in ("args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_json"):
        path = tmp_path / "sweep.yaml"
        command = ["${env}", "${interpreter}", "${program}", "--queue=${envvar:QUEUE}", f"${{{macro}}}"]
        path.write_text(yaml.safe_dump(GOOD | {"command": command, "program": "mine.py"}))
        line = trial_command(read_sweep(path), values)
        assert line[1:3] == ["mine.py", "--queue=night"]
        lower = [part.replace("True", "true").replace("False", "false") for part in theirs[macro]]
        assert line[3:] == lower, macro


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metod": "random"}, "Did you mean 'method'"),
        ({"method": "bayesian"}, "Did you mean 'bayes'"),
        ({"metric": "val/posed"}, "`metric` needs a `name`"),
        ({"metric": {"name": "x", "goal": "min"}}, "`metric.goal` must be one of minimize, maximize"),
        ({"command": ["lightning", "fit"]}, "needs `${args}`"),
        ({"command": ["${interpreter}", "${program}", "${args}"]}, "`program` is missing"),
        ({"early_terminate": {"type": "envelope"}}, "type hyperband"),
        ({"early_terminate": {"type": "hyperband"}}, "either `min_iter`, or `max_iter` with `s`"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1.5}}, "`early_terminate.eta` must be"),
        ({"method": "grid"}, "`grid` needs `values` or whole numbers"),
        ({"parameters": {"a": {"parameters": {"b": {"min": 1}}}}}, "The parameter `a.b`"),
        ({"run_cap": 0}, "`run_cap` must be"),
    ],
)
def test_mistakes_in_files_are_told(tmp_path, change, said) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD | change))
    with pytest.raises(MGCError) as error:
        read_sweep(path)
    assert said in str(error.value)
    assert "mine.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"method: random\nmethod: grid\n", "line 2: the key `method` is there twice"),
        ("name: José\n".encode("latin-1"), "expected UTF-8 text"),
        (b"parameters: {day: {value: 2026-02-30}}\n", "no YAML (day"),
        (yaml.safe_dump(GOOD).encode() + b"name: 2026-02-28\n", "expected numbers, text, lists and mappings alone"),
    ],
)
def test_what_is_no_config_is_no_sweep(tmp_path, content, said) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(MGCError) as error:
        read_sweep(path)
    assert said in str(error.value)
    assert "mine.yaml" in str(error.value)
