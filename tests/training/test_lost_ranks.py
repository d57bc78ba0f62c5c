"""Where one of two processes is killed, the other ends within seconds, by a sentence that names it."""

import os
import signal
import time
from pathlib import Path

import pytest
from test_stop import PROGRESS, endless, trained
from training_runs import start, wait_for

from mgc_lightning.training.lost_ranks import KnowRanks, of_communication


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:3", True),
        ("NCCL error in: ProcessGroupNCCL.cpp:77, remote process exited or there was a network error", True),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", False),
        ("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", False),
    ],
)
def test_only_errors_of_communication_are_asked_for_a_lost_rank(said, expected) -> None:
    assert of_communication(RuntimeError(said)) is expected
    assert KnowRanks().explain(0, RuntimeError(said)) is None  # one process alone


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_the_other_rank_names_the_one_that_was_killed(tmp_path, killed) -> None:
    (tmp_path / "progress.py").write_text(PROGRESS)
    folder = tmp_path / "run"
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    process = start(folder, endless(folder, devices=2, strategy="ddp"), PYTHONPATH=paths)
    wait_for(lambda: trained(folder) >= 2, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (second,) = [int(one) for one in children if b"fit" in Path(f"/proc/{one}/cmdline").read_bytes()]
    os.kill(process.pid if killed == 0 else second, signal.SIGKILL)
    began = time.monotonic()
    assert process.wait(timeout=60) == (-signal.SIGKILL if killed == 0 else 2)
    log = folder / "log.txt"
    while "error: " not in log.read_text():
        assert time.monotonic() - began < 20
        time.sleep(0.1)
    printed = log.read_text()
    assert f"error: Rank {1 - killed} cannot go on: rank {killed} of 2 has ended" in printed
    assert "Traceback" not in printed
