"""Kill trainings at random moments and resume them: `python tests/training/kill_and_resume.py --kills 20`.

Every second training has its folder in /dev/shm, another file system than that of temporary files. A training of some
steps that writes a checkpoint after each is killed by SIGKILL until it comes to its end; then its last checkpoint must
hold, bit for bit, what an unbroken training gives, its best score must be that one's, and it must be one run: one
folder, and nothing unfinished in it. Moments are drawn by the seed, a quarter from the start of the program, the others
from the first step after it.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/helpers")]

import torch  # noqa: E402
from training_runs import SMALL, finish, start  # noqa: E402

STEPS = 16
PATIENCE = 1200
"""Seconds: beside other work on a machine a training of a minute takes many."""


def settings(folder: Path) -> dict:
    """Score after every fourth step, keep the best and the last, write after every step."""
    checkpoint = "lightning.pytorch.callbacks.ModelCheckpoint"
    best = {"monitor": "val/nme", "filename": "best-{step}", "save_on_train_epoch_end": False}
    each = {"every_n_train_steps": 1, "filename": "{step}", "save_last": True, "save_on_train_epoch_end": False}
    logger = {"save_dir": str(folder / "runs"), "name": "mgc"}
    return {
        "model": {"backbone": SMALL, "image_size": 32},
        "data": {"init_args": {"batch_size": 1, "train_size": 100, "val_size": 1}},
        "trainer": {
            "max_steps": STEPS,
            "val_check_interval": 4,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": logger},
            "callbacks": [{"class_path": checkpoint, "init_args": part} for part in (best, each)],
        },
    }


def outcome(folder: Path) -> dict:
    """Give what a training came to."""
    (run,) = (folder / "runs" / "mgc").iterdir()
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    scores = [state["best_model_score"] for name, state in last["callbacks"].items() if "val/nme" in name]
    left = [path.name for path in run.rglob(".*")]
    best = None if scores[0] is None else float(scores[0])
    return {"step": last["global_step"], "weights": last["state_dict"], "best": best, "left": left}


def same(ours: dict, whole: dict) -> str:
    """Say what differs; nothing if all is well."""
    if ours["left"]:
        return f"left {ours['left']}"
    if (ours["step"], ours["best"]) != (whole["step"], whole["best"]):
        return f"step {ours['step']}, best {ours['best']}; expected {whole['step']}, {whole['best']}"
    others = [name for name, value in whole["weights"].items() if not torch.equal(ours["weights"][name], value)]
    return f"other weights: {others[:3]}" if others else ""


def train(folder: Path, moments: random.Random, kills: int, life: float) -> int:
    """Train to the end, killed `kills` times at most; give how often it was."""
    done = 0
    while True:
        before = newest(folder)
        process = start(folder, settings(folder), *(["--ckpt_path=last"] if done else []))
        if done == kills:
            finish(process, folder, seconds=PATIENCE)
            return done
        begun = time.monotonic()
        if moments.random() > 0.25:
            while newest(folder) == before and process.poll() is None:
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, 0.04 * life))
        else:
            time.sleep(moments.uniform(0.0, life))
        if process.poll() is not None:
            finish(process, folder, seconds=PATIENCE)
            return done
        process.send_signal(signal.SIGKILL)
        process.wait()
        done += 1
        print(f"  killed {time.monotonic() - begun:.2f} s after its start, last {newest(folder)}", flush=True)


def newest(folder: Path) -> int:
    """Give when the last checkpoint was written; 0 for never."""
    found = [path.stat().st_mtime_ns for path in folder.glob("runs/mgc/*/checkpoints/last.ckpt")]
    return max(found, default=0)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--each", type=int, default=5, help="of one training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    moments, begun = random.Random(arguments.seed), time.monotonic()
    places, failed, killed, number = [None, "/dev/shm"], [], {None: 0, "/dev/shm": 0}, 0
    with tempfile.TemporaryDirectory() as whole:
        train(Path(whole), moments, 0, 0.0)
        life, expected = time.monotonic() - begun, outcome(Path(whole))
        while sum(killed.values()) < arguments.kills:
            place = min(places, key=lambda one: killed[one])
            folder = Path(tempfile.mkdtemp(dir=place, prefix="mgc-"))
            kills = min(arguments.each, arguments.kills - sum(killed.values()))
            try:
                killed[place] += train(folder, moments, kills, life)
                why = same(outcome(folder), expected)
            except (AssertionError, ValueError, OSError, subprocess.TimeoutExpired) as error:
                why = str(error)[-1500:]
            failed += [why] if why else []
            print(f"{folder}: {why or 'as the unbroken one'}", flush=True)
            shutil.rmtree(folder)
            number += 1
    print(
        f"{sum(killed.values())} kills in {number} trainings ({killed['/dev/shm']} in /dev/shm), "
        f"{number - len(failed)} equal to the unbroken one, {len(failed)} not ({time.monotonic() - begun:.0f} s)"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
