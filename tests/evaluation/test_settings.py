"""Both benchmarks in Python: their settings refuse what does not fit, and a network is a path, a source or loaded."""

import json

import pytest
from tiny_networks import make_network

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation import NoWSettings, NoWSubmissionSettings, REALYSettings, REALYSubmissionSettings
from mgc_lightning.evaluation.now import benchmark_now, submit_now
from mgc_lightning.evaluation.realy import benchmark_realy
from mgc_lightning.evaluation.realy.topology import load_topology
from mgc_lightning.networks import NetworkSource, as_predictor, save_network


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (NoWSettings, {"split": "tset"}, "`split` must be one of validation, test; got 'tset'. Did you mean 'test'?"),
        (NoWSettings, {"metrical": "inch"}, "`metrical` must be one of mm, cm, m; got 'inch'"),
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
