"""Every command that writes, with small inputs: what is run on disks that are full, or may not be written."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("helpers", "official")]

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
        processes: more arguments, with which it has processes of its own; they share memory by /dev/shm.
    """

    arguments: list[str]
    keeps: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


JOBS, WORKERS = ("--jobs", "2"), ("--data.init_args.num_workers=1",)
TABLE = "runs/lightning_logs/version_0/metrics.csv"
"""Lightning's logger appends to it, and may end early."""


def settings(folder: Path, name: str = "settings.yaml", **trainer) -> Path:
    """Write the settings of a training of two steps on the trial's disk."""
    import yaml
    from training_runs import SETTINGS, SMALL, merge

    checkpoint = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"save_last": True}}
    override = {
        "model": {"backbone": SMALL, "image_size": 32},
        "data": {"init_args": {"batch_size": 1, "train_size": 4, "val_size": 1, "test_size": 1}},
        "trainer": {
            "max_steps": 2,
            "val_check_interval": 2,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": f"{OUT}/runs"}},
            "callbacks": [checkpoint],
            **trainer,
        },
    }
    path = folder / name
    path.write_text(yaml.safe_dump(merge(SETTINGS, override)))
    return path


def sweep(folder: Path) -> Path:
    """Write a sweep of two trials that train nothing."""
    import yaml

    stub = Path(__file__).parents[1] / "helpers" / "stub_trial.py"
    content = {
        "method": "grid",
        "metric": {"name": "score"},
        "command": ["${interpreter}", str(stub), "${args}"],
        "parameters": {"x": {"values": [1.0, 2.0]}},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def official(folder: Path) -> Path | None:
    """Write a checkpoint of TensorFlow; None where that is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        return None
    import tensorflow
    from test_tensorflow_import import write_checkpoint

    from mgc_lightning.official.names import imagenet_variables

    folder.mkdir()
    return Path(write_checkpoint(tensorflow, folder, imagenet_variables()))


def prepare_inputs(folder: Path) -> dict[str, Command | None]:
    """Write the inputs of all commands into a folder; give the commands by name, None for one that lacks its extra."""
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
    wandb = {"class_path": "lightning.pytorch.loggers.WandbLogger"}
    uploads = settings(
        folder,
        "wandb.yaml",
        logger=wandb | {"init_args": {"save_dir": f"{OUT}/runs", "project": "disks", "version": "one"}},
    )
    checkpoint = official(folder / "tensorflow")
    for name in ("mine", "his"):
        source = f"{folder}/now/predictions/ground_truth"
        run(["benchmark", "now", "--dataset", f"{folder}/now", "--predictions", source, "--output",
             f"{folder}/scores/{name}.json"])  # fmt: skip
    scores = [str(folder / "scores" / f"{name}.json") for name in ("mine", "his")]
    now, realy = str(folder / "now"), str(folder / "realy")
    torch.manual_seed(0)
    return {
        "synthesize now": Command([*NOW, "--output", f"{OUT}/set"]),
        "synthesize realy": Command([*REALY, "--output", f"{OUT}/set"]),
        "benchmark now": Command(
            ["benchmark", "now", "--dataset", now, "--predictions", f"{now}/predictions/ground_truth",
             "--output", f"{OUT}/s.json"],
            keeps=("s/finished.jsonl",),
            processes=JOBS,
        ),
        "benchmark realy": Command(
            ["benchmark", "realy", "--dataset", realy, "--predictions", f"{realy}/predictions/ground_truth",
             "--allow-missing", "--topology", "makehuman", "--output", f"{OUT}/s.json"],
            keeps=("s/finished.jsonl",),
            processes=JOBS,
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
            processes=JOBS,
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
        "fit": Command(
            ["fit", "--config", "quickstart", "--config", str(config)], keeps=(TABLE,), processes=WORKERS
        ),
        "validate": Command(
            ["validate", "--config", "quickstart", "--config", str(config)],
            keeps=("runs/",),  # tables of Lightning's logger
            processes=WORKERS,
        ),
        "test": Command(["test", "--config", "quickstart", "--config", str(config)], ("runs/",), WORKERS),
        "predict": Command(
            ["predict", "--config", "quickstart", "--config", str(config), "--trainer.callbacks+=WritePredictions",
             f"--trainer.callbacks.folder={OUT}/predictions", "--trainer.callbacks.meshes=ply"],
            keeps=("runs/", "predictions/"),  # whole files, of the samples before
            processes=WORKERS,
        ),
        "fit by W&B": Command(["fit", "--config", "quickstart", "--config", str(uploads)], keeps=("runs/wandb/",)),
        "fit by all callbacks": Command(
            ["fit", "--config", "quickstart", "--config", str(config), "--trainer.callbacks+=ContactSheet",
             "--trainer.callbacks+=ValidationFaces", "--trainer.callbacks+=ExportBestCheckpoint"],
            keeps=(TABLE,),
        ),
        "sweep": Command(["sweep", str(sweep(folder)), "--output", f"{OUT}/sweep"], keeps=("sweep/",)),
        "report": Command(["report", str(folder / "scores"), "--output", f"{OUT}/page.html"]),
        "benchmark compare": Command(["benchmark", "compare", *scores, "--output", f"{OUT}/compared"]),
        "fit-scan": Command(["fit-scan", str(folder / "scans/head.obj"), "--output", f"{OUT}/fitted"]),
        "import-official": checkpoint and Command(
            ["import-official", "--checkpoint", str(checkpoint), "--network", "imagenet", "--output",
             f"{OUT}/imagenet.safetensors"]
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
