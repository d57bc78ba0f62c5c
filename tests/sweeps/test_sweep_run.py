"""Sweeps of trials that train nothing: counted, pruned, resumed, compared."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("optuna")

from mgc_lightning import cli
from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.sweeps.file import read_sweep
from mgc_lightning.sweeps.results import TrialResult, write_best
from mgc_lightning.sweeps.run import run_sweep

STUB = Path(__file__).parents[1] / "helpers" / "stub_trial.py"


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Give a writer of sweep files, and have trials note their starts."""
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, [str(STUB.parents[2]), os.environ.get("PYTHONPATH")]))
    )

    def write(name: str = "sweep", arguments: tuple[str, ...] = (), **keys) -> Path:
        content = {
            "method": "random",
            "metric": {"name": "score", "goal": "minimize"},
            "command": [sys.executable, str(STUB), *arguments, "${args}"],
            "parameters": {"x": {"min": 0.0, "max": 1.0}, "kind": {"value": "stub"}},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content | keys))
        return path

    return write


def starts(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "starts").read_text().splitlines()]


def test_a_grid_runs_once_all_through_and_writes_what_it_found(sweep, tmp_path, capsys) -> None:
    file = sweep(method="grid", parameters={"x": {"values": [3.0, 1.0, 2.0, 4.0, 9.0]}}, arguments=("--fails_above=5",))
    output = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        cli.main(["sweep", str(file), "--jobs", "2", "--output", str(output)])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert sorted(float(start[0]) for start in starts(tmp_path)) == [1.0, 2.0, 3.0, 4.0, 9.0]
    assert "4 complete, 1 failed" in printed
    (failed,) = [line for line in printed.splitlines() if line.startswith("failed:")]
    log = Path(failed.rsplit(": ", 1)[1])
    assert "x is too much" in log.read_text()
    rows = (output / "trials.csv").read_text().splitlines()
    assert len(rows) == 6
    best = yaml.safe_load((output / "best.yaml").read_text())
    assert best["x"] == 1.0
    # the run of best.yaml does not go into the sweep's folder
    assert best["trainer"] == {"default_root_dir": "runs", "logger": {"save_dir": "runs/logs"}}
    for name in ("parallel.png", "importances.png"):
        assert (output / name).read_bytes()[:4] == b"\x89PNG"
    result = run_sweep(file, output, trials=50, say=lambda line: None)
    assert len(starts(tmp_path)) == 5, "a grid that is through has nothing more"
    assert result.best.score == 0.25


def test_random_draws_follow_the_seed_and_go_on(sweep, tmp_path) -> None:
    file = sweep()
    at_once = run_sweep(file, tmp_path / "a", trials=2, seed=5, say=lambda line: None)
    run_sweep(file, tmp_path / "b", trials=1, seed=5, say=lambda line: None)
    in_two = run_sweep(file, tmp_path / "b", trials=2, seed=5, say=lambda line: None)
    drawn = [[trial.values["x"] for trial in result.trials] for result in (at_once, in_two)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 2
    with pytest.raises(MGCError, match="begun with other `parameters`"):
        run_sweep(sweep(parameters={"x": {"min": 0.0, "max": 2.0}}), tmp_path / "b", trials=3)


def test_trials_are_pruned_as_the_file_says(sweep, tmp_path) -> None:
    file = sweep(
        method="grid",
        early_terminate={"type": "hyperband", "min_iter": 2, "eta": 2},
        parameters={"x": {"values": [1.0, 2.0, 0.5, 3.0]}},
    )
    result = run_sweep(file, tmp_path / "out", say=lambda line: None)
    assert [(trial.state, trial.validations, trial.status) for trial in result.trials] == [
        ("complete", 4, 0),
        ("pruned", 2, 0),
        ("complete", 4, 0),
        ("pruned", 2, 0),
    ]
    assert result.best.number == 2


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_killed_sweep_does_its_unfinished_trials_again(sweep, tmp_path, number) -> None:
    file = sweep(arguments=("--seconds=0.5",))
    line = [sys.executable, "-m", "mgc_lightning.cli", "sweep", str(file), "--trials", "2", "--output"]
    process = subprocess.Popen([*line, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "starts").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert "1 running trials will be done again" in printed
    child = int(starts(tmp_path)[0][1])
    if number == signal.SIGKILL:  # the stub does not look after its parent, as `lightning fit` does
        os.kill(child, signal.SIGKILL)
    said: list[str] = []
    result = run_sweep(file, tmp_path / "out", trials=2, say=said.append)
    assert [trial.state for trial in result.trials] == ["killed", "complete", "complete"]
    assert result.trials[0].values == result.trials[1].values != result.trials[2].values
    if number == signal.SIGKILL:
        assert any("1 that were killed are done again" in line for line in said)


def test_failures_alone_end_a_sweep(sweep, tmp_path) -> None:
    with pytest.raises(MGCError, match=r"first 5 trials have failed.*x is too much.*log\.txt"):
        run_sweep(sweep(arguments=("--fails_above=-1",)), tmp_path / "out", trials=9, jobs=5, say=lambda line: None)


def test_what_cannot_begin_is_told(sweep, tmp_path, monkeypatch) -> None:
    with pytest.raises(MGCError, match="how many trials"):
        run_sweep(sweep(), tmp_path / "out")
    with pytest.raises(MGCError, match="`command` cannot be run: no-such-program"):
        run_sweep(sweep(command=["no-such-program", "${args}"]), tmp_path / "none", trials=1, say=lambda line: None)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "sweep.db").write_text("no data base" * 100)
    with pytest.raises(MGCError, match=r"sweep\.db: this is no storage of a sweep"):
        run_sweep(sweep(), tmp_path / "text", trials=1)
    (tmp_path / "emptied" / "trials" / "0000").mkdir(parents=True)
    (tmp_path / "emptied" / "sweep.db").touch()
    with pytest.raises(MGCError, match=r"sweep\.db: it knows no trial, and there are some in .*trials"):
        run_sweep(sweep(), tmp_path / "emptied", trials=1)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"mgc-lightning\[sweep\]"):
        run_sweep(sweep(), tmp_path / "fresh", trials=1)


def test_a_damaged_attribute_is_told(sweep, tmp_path) -> None:
    run_sweep(sweep(), tmp_path / "out", trials=1, say=lambda line: None)
    with contextlib.closing(sqlite3.connect(tmp_path / "out" / "sweep.db")) as storage, storage:
        storage.execute("UPDATE trial_user_attributes SET value_json = '{\"x\": 1_2}'")
    with pytest.raises(MGCError, match=r"sweep\.db: this is no storage of a sweep that can be read"):
        run_sweep(sweep(), tmp_path / "out", trials=2, say=lambda line: None)


@pytest.mark.parametrize("content", [b"model: {focal: ", b"\xff\xfe", b"- 1\n"])
def test_a_damaged_config_of_the_best_trial_is_told(tmp_path, content) -> None:
    trial = TrialResult(0, "complete", {}, 1.0, 1, 1.0, tmp_path, tmp_path)
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(MGCError, match=r"config\.yaml"):
        write_best(tmp_path / "best.yaml", read_sweep("sweeps/quickstart"), trial)
    assert not (tmp_path / "best.yaml").exists()
