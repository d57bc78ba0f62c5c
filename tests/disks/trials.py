"""Every command that writes, with small inputs: what is run on disks that are full, or may not be written."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers")]

OUT = "OUT"
"""Stands for the folder on the trial's disk."""
NOW = ["synthesize", "now", "--subjects", "1", "--images", "1", "--image-size", "64", "--spacing", "8"]
REALY = [
    "synthesize",
    "realy",
    "--subjects",
    "1",
    "--views",
    "1",
    "--image-size",
    "64",
    "--spacing",
    "6",
    "--level",
    "0",
]


@dataclass
class Command:
    """One command line.

    Attributes:
        arguments: with `OUT` for the trial's folder.
        keeps: what it may leave although it could not end: work that the next run goes on from.
    """

    arguments: list[str]
    keeps: tuple[str, ...] = ()


def settings(folder: Path, **trainer) -> Path:
    """Write the settings of a training of two steps on the trial's disk."""
    import yaml
    from training_runs import SETTINGS, SMALL, merge

    checkpoint = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"save_last": True}}
    override = {
        "model": {"backbone": SMALL, "image_size": 32},
        "data": {"init_args": {"batch_size": 1, "train_size": 4, "val_size": 1}},
        "trainer": {
            "max_steps": 2,
            "val_check_interval": 2,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": f"{OUT}/runs"}},
            "callbacks": [checkpoint],
            **trainer,
        },
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(merge(SETTINGS, override)))
    return path


def prepare_inputs(folder: Path) -> dict[str, Command]:
    """Write the inputs of all commands into a folder; give the commands by name."""
    import owner_files
    import torch
    from photo_sets import write_photos
    from textured_scans import write_scan
    from tiny_networks import make_network

    from mgc_lightning.networks.files import save_network

    folder.mkdir(parents=True, exist_ok=True)
    network = str(save_network(make_network(), folder / "network.safetensors"))
    write_photos(folder / "photos", 1, folder / "landmarks")
    photo = next((folder / "photos").rglob("*.png"))
    write_scan(folder / "scans")
    face = owner_files.tiny_face()
    owner_files.write_bfm09(folder / "bfm.h5", face)
    run([*NOW, "--output", str(folder / "now")])
    run([*REALY, "--output", str(folder / "realy")])
    config = settings(folder)
    now, realy = str(folder / "now"), str(folder / "realy")
    torch.manual_seed(0)
    return {
        "synthesize now": Command([*NOW, "--output", f"{OUT}/set"]),
        "synthesize realy": Command([*REALY, "--output", f"{OUT}/set"]),
        "benchmark now": Command(
            ["benchmark", "now", "--dataset", now, "--predictions", f"{now}/predictions/ground_truth",
             "--output", f"{OUT}/s.json"],
            keeps=("s/finished.jsonl",),
        ),
        "benchmark realy": Command(
            ["benchmark", "realy", "--dataset", realy, "--predictions", f"{realy}/predictions/ground_truth",
             "--allow-missing", "--topology", "makehuman", "--output", f"{OUT}/s.json"],
            keeps=("s/finished.jsonl",),
        ),
        "benchmark scan": Command(
            ["benchmark", "scan", str(folder / "scans/head.obj"), "--checkpoint", network, "--image-size", "64",
             "--distances", "1", "--yaws", "0", "--no-several", "--output", f"{OUT}/scan"],
            keeps=("scan/",),
        ),
        "benchmark submit now": Command(
            ["benchmark", "submit", "now", "--dataset", now, "--split", "validation", "--checkpoint", network,
             "--output", f"{OUT}/submission"]
        ),
        "benchmark submit realy": Command(
            ["benchmark", "submit", "realy", "--dataset", realy, "--checkpoint", network, "--topology", "makehuman",
             "--output", f"{OUT}/submission"]
        ),
        "prepare": Command(
            ["prepare", str(folder / "photos"), "--landmarks", str(folder / "landmarks"), "--size", "64", "--jobs", "1",
             "--min-sharpness", "0.1", "--output", f"{OUT}/triplets"],
            keeps=("triplets/.work/",),
        ),
        "reconstruct": Command(
            ["reconstruct", str(photo), "--checkpoint", network, "--landmarks",
             str((folder / "landmarks" / photo.relative_to(folder / "photos")).with_suffix(".npy")), "--no-refine",
             "--output", f"{OUT}/faces"]
        ),
        "export": Command(
            ["export", "--checkpoint", network, "--formats", "safetensors", "onnx", "--output", f"{OUT}/export"]
        ),
        "face-model import": Command(["face-model", "import", "bfm09", "--source", str(folder / "bfm.h5")]),
        "fit": Command(["fit", "--config", "quickstart", "--config", str(config)]),
        "validate": Command(
            ["validate", "--config", "quickstart", "--config", str(config)],
            keeps=("runs/",),  # tables of Lightning's logger
        ),
    }  # fmt: skip


def run(arguments: list[str]) -> int:
    """Run a command; give its status."""
    from mgc_lightning.cli import main

    try:
        main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def files_below(folder: Path) -> dict[str, int]:
    """Give the sizes of all files by name."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
