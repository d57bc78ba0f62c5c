"""One writer a folder; no worker outlives a killed parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.files.processes import only_writer
from mgc_lightning.preparation.run import prepare

HOLDER = """
import sys, time
from mgc_lightning.files.processes import only_writer
with only_writer(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""
PARENT = """
import os, time
from mgc_lightning.evaluation.parallel import in_parallel
def work(number):
    print(os.getpid(), flush=True)
    time.sleep(60)
if __name__ == "__main__":
    list(in_parallel(work, [1, 2], jobs=2))
"""


def test_a_second_writer_is_refused_and_harms_nothing(tmp_path):
    output, photos = tmp_path / "set", tmp_path / "photos"
    photos.mkdir()
    (photos / "anna.jpg").write_bytes(b"no matter")
    (output / ".work").mkdir(parents=True)
    (output / ".work" / ".half").write_text("being written")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(output)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(MGCError, match="set: another process is writing there"):
            prepare(photos, output)
        assert (output / ".work" / ".half").read_text() == "being written"
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with only_writer(output):
        pass
    assert not (tmp_path / ".set.lock").exists()


def test_a_lock_that_its_holder_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """Between opening and locking the file, its holder ends: who locks what is no more there must look again."""
    fcntl = pytest.importorskip("fcntl")
    lock, flock, removed = tmp_path / ".set.lock", fcntl.flock, []

    def late(file, how):
        if not removed:
            removed.append(lock.unlink())
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with only_writer(tmp_path / "set"):
        assert removed
        assert lock.exists()
        with pytest.raises(MGCError, match="another process"), only_writer(tmp_path / "set"):
            pass
    assert not lock.exists()


def running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not os.path.exists("/proc"), reason="reads /proc")
def test_workers_of_a_killed_parent_end(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(map(running, workers))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    ends = time.monotonic() + 30
    while any(map(running, workers)) and time.monotonic() < ends:
        time.sleep(0.2)
    assert not any(map(running, workers))
