"""Does multi-view consistency teach faces? Each loss's share, in trained networks, on people of another face model.

    mgc face-model import ict --source FaceXModel         # github.com/ICT-VGL/ICT-FaceKit, MIT
    python benchmarks/ablation.py --output runs/ablation  # resumes what an earlier call began

Every row trains the same network from the same start and for the same steps, on linked triplets of faces of
ICT-FaceKit: other shapes, colours, lights and cameras than the start has learned, landmarks with a detector's noise as
the only label. Rows differ in their losses (`configs/ablation/`). People who are in no training are scored by NoW's and
REALY's protocols on their neutral scans, by pose, depth and landmarks, beside the mean face at the true pose.
Differences to single view are paired, person by person, over all seeds; `+-` is their standard error over persons.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.study.people import Person, people
from benchmarks.study.report import plot, tables
from benchmarks.study.scores import Scorer, Scores
from mgc_lightning import load_network
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.text import write_json
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.synthetic import SyntheticSettings

ROWS = ("single_view", "pixel", "depth", "epipolar", "all", "all_ssim", "official", "same_person", "supervised")
"""Rows that are trained, each a config of `configs/ablation/`."""
STARTS = {
    "pretrained": [],
    "scratch": ["--model.init=null", "--model.optimizer.init_args.lr=1e-3", "--model.scheduler.init_args.max_lr=1e-3"],
}
WORLD = SyntheticSettings(linked=1.0, unlinked=0.0, yaw_limit=50.0, yaw_step=(12.0, 30.0), pitch_sigma=5.0,
                          alignment_jitter=0.5, camera_noise=0.5, occluders=0.05)  # fmt: skip
"""Of the scored people: that of the training, and true landmarks."""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--face-model", default="ict", help="of the population")
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--starts", nargs="+", default=["pretrained"], choices=STARTS, metavar="START")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600, help="of 4 triplets, each row")
    parser.add_argument("--people", type=int, default=64, help="who are scored")
    parser.add_argument("--realy", type=int, default=64, help="of them, by REALY's protocol: seconds each")
    parser.add_argument("--table-only", action="store_true", help="of the runs that are finished")
    return parser.parse_args()


def train(folder: Path, row: str, start: str, seed: int, args: argparse.Namespace) -> Path:
    """Train a row, or go on with it; `command.txt` and `fit.log` tell how."""
    final, last = folder / "finished.ckpt", folder / "last.ckpt"
    if final.is_file():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        "fit", "--config", "ablation/study", "--config", f"ablation/{row}", *STARTS[start], f"--seed_everything={seed}",
        f"--data.init_args.seed={seed}", f"--data.init_args.face_model={args.face_model}",
        f"--trainer.max_steps={args.steps}", f"--trainer.default_root_dir={folder}",
        # The last step is one of those that are kept.
        f"--trainer.callbacks.init_args.every_n_train_steps={math.gcd(args.steps, 100)}",
        *([f"--ckpt_path={last}"] if last.is_file() else []),
    ]  # fmt: skip
    with atomic_path(folder / "command.txt") as temporary:
        temporary.write_text("lightning " + shlex.join(command) + "\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with (folder / "fit.log").open("a", encoding="utf-8") as log:
        done = subprocess.run([sys.executable, "-m", "mgc_lightning.cli", *command], stdout=log, stderr=log,
                              env=environment, check=False)  # fmt: skip
    if done.returncode != 0 or not last.is_file():
        raise MGCError(f"{folder.name} ended with status {done.returncode}; {folder / 'fit.log'} says why")
    last.rename(final)
    return final


def score(
    file: Path, network: FaceNetwork, everyone: list[Person], args: argparse.Namespace, method: str = "network"
) -> Scores:
    """Read the scores of a finished run, or measure those of the network, the `mean face` or the model's `limit`."""
    key = {"people": args.people, "realy": args.realy, "face_model": args.face_model}
    if file.is_file():
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["key"] == key or args.table_only:
            return stored["scores"]
    scorer = Scorer(args.face_model, args.realy)
    if method == "limit":
        scores = scorer.limit(network.face_model, everyone)
    else:
        scores = scorer(network, everyone, mean_face=method == "mean face")
    write_json(file, {"key": key, "scores": scores})
    return scores


def main() -> None:
    """Train and score every row, then print the table and write `table.md` and `table.png`."""
    args, console = parse(), Console(stderr=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    start = load_network()
    everyone: list[Person] = []
    if not args.table_only:
        console.print(f"{args.people} people of {args.face_model} are photographed and scanned")
        everyone = list(people(args.face_model, args.people, start.image_size, start.focal, WORLD))
    args.output.mkdir(parents=True, exist_ok=True)
    found = {"mean face": {0: score(args.output / "mean_face.json", start, everyone, args, "mean face")}}
    found["limit of the face model"] = {0: score(args.output / "limit.json", start, everyone, args, "limit")}
    found["no adaptation"] = {0: score(args.output / "no_adaptation.json", start, everyone, args)}
    for seed in args.seeds:
        for name in args.starts:
            for row in args.rows:
                folder = args.output / f"{name}-{row}-{seed}"
                if args.table_only and not (folder / "scores.json").is_file():
                    continue
                if not args.table_only:
                    console.print(f"{folder.name} ...")
                network = start if args.table_only else load_network(train(folder, row, name, seed, args))
                title = row if name == "pretrained" else f"{row}, {name}"
                found.setdefault(title, {})[seed] = score(folder / "scores.json", network, everyone, args)
                with atomic_path(args.output / "table.md") as temporary:
                    temporary.write_text(tables(found), encoding="utf-8")
    print(tables(found))
    plot(found, args.output / "table.png")


if __name__ == "__main__":
    main()
