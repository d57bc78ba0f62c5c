"""`mgc sweep` over real trainings: pruned, killed with its trials, and gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from training_runs import SMALL_FLAGS

pytest.importorskip("optuna")


def ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
def test_trials_end_with_a_killed_sweep_and_are_pruned_when_it_goes_on(tmp_path) -> None:
    content = {
        "method": "grid",
        "metric": {"name": "val/posed"},
        "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2},
        "command": ["lightning", "fit", "--config", "quickstart", *SMALL_FLAGS, "--trainer.callbacks=[]", "${args}"],
        # the second rate ruins the network: it is pruned
        "parameters": {"model.optimizer.init_args.lr": {"values": [1.0e-4, 1.0]}, "trainer.max_steps": {"value": 6}},
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    line = [sys.executable, "-m", "mgc_lightning.cli", "sweep", str(tmp_path / "sweep.yaml"), "--output"]
    environment = os.environ | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen([*line, str(tmp_path / "out")], env=environment, cwd=tmp_path)
    log = tmp_path / "out" / "trials" / "0000" / "log.txt"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.is_file() and "Params" in log.read_text()):
        time.sleep(0.1)
    (trial,) = map(int, Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split())
    first.send_signal(signal.SIGKILL)
    first.wait()
    while time.monotonic() < deadline and not ended(trial):
        time.sleep(0.1)
    assert ended(trial), "the trial trains on without its sweep"
    done = subprocess.run(
        [*line, str(tmp_path / "out")], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 that were killed are done again" in done.stdout
    assert "1 complete, 1 pruned, 1 killed" in done.stdout
    assert "is not among the best 1 in 2" in (tmp_path / "out" / "trials" / "0002" / "log.txt").read_text()
    best = tmp_path / "out" / "best.yaml"
    assert yaml.safe_load(best.read_text())["model"]["optimizer"]["init_args"]["lr"] == 1.0e-4
    line = [sys.executable, "-m", "mgc_lightning.cli", "fit", "--config", str(best), "--trainer.max_steps=2"]
    again = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert list((tmp_path / "runs" / "quickstart").glob("*/config.yaml"))
