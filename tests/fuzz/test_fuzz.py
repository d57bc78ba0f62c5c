"""A small run of the fuzzer, over every reader; `python tests/fuzz/run.py --mutants 200` is the long one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/status").exists(), reason="measures as Linux does")
@pytest.mark.timeout(950)
@pytest.mark.parametrize("seed", [1])
def test_every_reader_refuses_damage_in_one_message(seed):
    done = subprocess.run(
        [sys.executable, str(RUN), "--mutants", "3", "--seed", str(seed), "--seconds", "60"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 raw, 0 hang, 0 memory, 0 died, 0 silent, 0 long" in done.stdout
