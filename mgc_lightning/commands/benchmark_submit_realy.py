"""`mgc benchmark submit realy`: a checkpoint's predictions for REALY."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a checkpoint's meshes in the layout that `mgc benchmark realy` and the official program take"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a checkpoint or an export")
    parser.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--images", type=Path, metavar="DIR", help="of <subject>.jpg and <subject>_<view>.jpg")
    parser.add_argument("--landmarks", type=Path, metavar="DIR", help="68 or 5 landmarks or a box of each image")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the predictions")
    parser.add_argument("--view", choices=("frontal", "side"), default="frontal", help="default: frontal")
    parser.add_argument(
        "--topology", metavar="NAME|PATH.obj", help="see `mgc benchmark realy`; default: that of the face model"
    )
    parser.add_argument(
        "--neutral", action="store_true", help="leave the predicted expression away; published scores include it"
    )
    parser.add_argument("--format", choices=("obj", "ply"), default="obj", help="of the meshes (default: obj)")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="default: 16")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ... (default: cpu)")


def run(args: argparse.Namespace) -> int:
    """Predict, write, read back."""
    from rich.console import Console
    from rich.progress import track
    from torch.utils.data import DataLoader

    from mgc_lightning.evaluation.photo_sets import collate
    from mgc_lightning.evaluation.realy.photos import RealyPhotos
    from mgc_lightning.evaluation.realy.submission import validate_predictions, write_predictions
    from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(args.checkpoint, device=args.device)
    model, size = predictor.face_model, predictor.image_size
    topology = load_topology(args.topology) if args.topology else topology_of(model)
    name = args.topology or topology.name
    photos = RealyPhotos(args.dataset, model, size, args.images, args.landmarks, args.view)
    crops = track(DataLoader(photos, args.batch_size, collate_fn=collate), "REALY", console=Console(stderr=True))
    write_predictions(predictor, crops, args.output, args.device, args.neutral, suffix=f".{args.format}")
    validate_predictions(args.output, photos.names, args.view, topology)
    print(
        f"{args.output}: {len(photos)} {args.view} predictions (mm), read back and found complete. Score them:\n"
        f"  mgc benchmark realy --dataset {args.dataset} --predictions {args.output} --topology {name} "
        f"--view {args.view} --output realy.json"
    )
    return 0
