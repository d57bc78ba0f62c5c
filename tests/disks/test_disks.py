"""Commands on full and on read-only disks; `python tests/disks/try_disks.py` tries all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("try_disks.py")
QUICK = ["--shares", "0.5", "--", "benchmark realy", "face-model import", "prepare", "benchmark submit realy"]


@pytest.mark.timeout(2500)
@pytest.mark.parametrize("arguments", [QUICK, pytest.param([], marks=pytest.mark.slow)], ids=["quick", "all"])
def test_what_cannot_be_written_is_one_sentence_and_leaves_no_half_file(arguments) -> None:
    done = subprocess.run([sys.executable, str(RUN), *arguments], capture_output=True, text=True, timeout=2400)
    if done.returncode == 3:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 raw, 0 silent, 0 other, 0 half, 0 left" in done.stdout
