"""Both benchmarks in Python: their settings refuse what does not fit, and a network is a path, a source or loaded."""

import json

import pytest
from tiny_networks import make_network

from mgc_lightning.arguments import CommandParser
from mgc_lightning.commands.benchmark_submit_now import submit_now as submit_now_command
from mgc_lightning.commands.benchmark_submit_realy import submit_realy as submit_realy_command
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation import NoWSettings, NoWSubmissionSettings, REALYSettings, REALYSubmissionSettings
from mgc_lightning.evaluation.now import NoWDataset, benchmark_now, submit_now
from mgc_lightning.evaluation.realy import REALYDataset, benchmark_realy, submit_realy
from mgc_lightning.evaluation.realy.topology import load_topology
from mgc_lightning.networks import NetworkSource, as_predictor, save_network


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (NoWSettings, {"split": "tset"}, "`split` must be one of validation, test; got 'tset'. Did you mean 'test'?"),
        (NoWSettings, {"unit": "inch"}, "`unit` must be one of mm, cm, m; got 'inch'"),
        (NoWSettings, {"corrected_start": True}, "`corrected_start=True` is an option of the metrical benchmark"),
        (REALYSettings, {"view": "front"}, "`view` must be one of frontal, side; got 'front'. Did you mean 'frontal'?"),
        (NoWSubmissionSettings, {"format": "stl"}, "`format` must be one of obj, ply; got 'stl'"),
        (REALYSubmissionSettings, {"view": None}, "`view` must be one of frontal, side; got None"),
    ],
)
def test_bad_settings(kind, options, message):
    with pytest.raises(MGCError) as error:
        kind(**options)
    assert message in str(error.value)


def test_the_benchmarks_in_python(now_set, realy_set, tmp_path):
    truth = f"{now_set}/predictions/ground_truth"
    run = benchmark_now(str(now_set), truth, f"{tmp_path}/now.json", NoWSettings(challenge="selfie"))
    assert len(run.scores.predictions) == len(json.loads(run.folder.output.read_text())["images"]) == 2
    truth = f"{realy_set}/predictions/ground_truth"
    mask = tmp_path / "mask.txt"
    mask.write_text("1 " * load_topology("makehuman").vertex_count)
    settings = REALYSettings(view="frontal", mask=str(mask))
    whole = benchmark_realy(str(realy_set), truth, f"{tmp_path}/realy.json", "makehuman", settings)
    assert whole.missing == []
    assert whole.scores.total < 0.2
    with pytest.raises(MGCError, match="expected predictions <subject>_<view>.obj, found none"):
        benchmark_realy(str(realy_set), truth, f"{tmp_path}/side.json", "makehuman", REALYSettings(view="side"))


def test_folders_of_a_data_set_that_is_opened_already_are_refused(now_set, realy_set, tmp_path):
    network = as_predictor(save_network(make_network().eval(), tmp_path / "network.safetensors"))
    with pytest.raises(MGCError, match=r"`photos` is for a data set .*`NoWDataset\(..., photos=...\)`"):
        submit_now(network, NoWDataset(now_set), tmp_path / "now", NoWSubmissionSettings(photos="photos"))
    for name in ("photos", "landmarks"):
        settings = REALYSubmissionSettings(**{name: "elsewhere"})
        with pytest.raises(MGCError, match=f"`{name}` is for a data set that is named by its folder"):
            submit_realy(network, REALYDataset(realy_set), tmp_path / "realy", None, settings)
    assert not (tmp_path / "now").exists()


def test_the_sisters_say_the_same_of_expressions():
    neutral = [REALYSubmissionSettings.__doc__, NoWSubmissionSettings.__doc__]
    lines = {line.strip() for text in neutral for line in text.splitlines() if line.strip().startswith("neutral:")}
    assert len(lines) == 1
    for command in (submit_now_command, submit_realy_command):
        assert "--neutral, --no-neutral" in " ".join(CommandParser(command, "mgc").format_help().split())


def test_a_network_is_a_path_a_source_or_loaded(now_set, tmp_path):
    path = save_network(make_network().eval(), tmp_path / "network.safetensors")
    forms = {"path": path, "source": NetworkSource(path, level=0), "loaded": as_predictor(path)}
    settings = NoWSubmissionSettings(split="validation", format="ply")
    for name, network in forms.items():
        assert str(submit_now(network, str(now_set), f"{tmp_path}/{name}", settings)).endswith("found complete.")
    written = {name: sorted((tmp_path / name).rglob("*.ply")) for name in forms}
    assert len(written["path"]) == 8
    for name in forms:
        assert [file.read_bytes() for file in written[name]] == [file.read_bytes() for file in written["path"]]
