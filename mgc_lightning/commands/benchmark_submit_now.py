"""`mgc benchmark submit now`: a checkpoint's predictions for the NoW organisers."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a checkpoint's neutral meshes and landmarks in the layout that the NoW organisers take"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a checkpoint or an export")
    parser.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="folder with the image list")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="tree with iphone_pictures/ and detected_face/")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the submission")
    parser.add_argument("--split", choices=("validation", "test"), default="test", help="default: test")
    parser.add_argument("--expression", action="store_true", help="keep the expression; NoW expects neutral faces")
    parser.add_argument("--format", choices=("obj", "ply"), default="obj", help="of the meshes (default: obj)")
    parser.add_argument("--box-scale", type=float, default=1.0, metavar="X", help="enlarge the detected boxes")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="default: 16")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ... (default: cpu)")


def run(args: argparse.Namespace) -> int:
    """Predict, write, read back."""
    from rich.console import Console
    from rich.progress import track
    from torch.utils.data import DataLoader

    from mgc_lightning.evaluation.now.dataset import NoWDataset
    from mgc_lightning.evaluation.now.photos import NoWPhotos
    from mgc_lightning.evaluation.now.submission import validate_submission, write_submission
    from mgc_lightning.evaluation.photo_sets import collate
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(args.checkpoint, device=args.device)
    dataset = NoWDataset(args.dataset, args.photos)
    images = dataset.images(args.split)
    photos = NoWPhotos(dataset, images, predictor.face_model, predictor.image_size, args.box_scale)
    loader = DataLoader(photos, args.batch_size, collate_fn=collate)
    crops = track(loader, "NoW", console=Console(stderr=True))
    write_submission(predictor, crops, images, args.output, args.device, args.expression, suffix=f".{args.format}")
    validate_submission(args.output, images)
    expression = "with expression" if args.expression else "neutral"
    print(f"{args.output}: {len(images)} predictions ({expression}, mm), read back and found complete.")
    return 0
