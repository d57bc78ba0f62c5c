"""`mgc synthesize now`: a synthetic NoW data set in the official layouts."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a synthetic NoW data set (scans, photographs, boxes, lists) in the official layouts"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument("--subjects", type=int, default=5, metavar="N", help="people (default: 5)")
    parser.add_argument(
        "--images",
        type=int,
        default=2,
        metavar="N",
        help="photographs of each person and challenge (default: 2)",
    )
    parser.add_argument("--image-size", type=int, default=384, metavar="PX", help="default: 384")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--face-model", default="makehuman", metavar="NAME|PATH", help="default: makehuman")


def run(args: argparse.Namespace) -> int:
    """Write the set and say how to score its ground truth."""
    from mgc_lightning.face_models import FaceModel, load_face_model_data
    from mgc_lightning.synthetic.now_set import GROUND_TRUTH, NoWSetSettings, write_now_set

    data = load_face_model_data(args.face_model)
    settings = NoWSetSettings(args.subjects, args.images, args.image_size, args.seed)
    write_now_set(args.output, FaceModel(data, level=data.levels - 1), settings)
    print(
        f"{args.output}: {args.subjects} people, {args.subjects * args.images * 4} photographs. Score its ground truth:"
    )
    print(
        f"  mgc benchmark now --dataset {args.output} --predictions {args.output}/predictions/{GROUND_TRUTH} "
        "--output now.json"
    )
    return 0
