"""`mgc synthesize realy`: a synthetic data set in REALY's layout."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a synthetic data set in REALY's official layout (CC0): scans, keypoints, images, predictions"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--subjects", type=int, default=10, help="people (default: 10)")
    parser.add_argument("--views", type=int, default=4, help="side views of each (default: 4)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--level", type=int, default=1, choices=(0, 1), help="head mesh that is scanned (default: 1)")
    parser.add_argument("--image-size", type=int, default=512, help="side of the images in px (default: 512)")


def run(args: argparse.Namespace) -> int:
    """Write the data set."""
    from rich.console import Console
    from rich.progress import track

    from mgc_lightning.synthetic.realy import RealySetSettings, synthesize_realy

    settings = RealySetSettings(args.subjects, args.views, args.seed, args.level, args.image_size)
    subjects = synthesize_realy(args.output, settings)
    for _ in track(subjects, "REALY", total=args.subjects, console=Console(stderr=True)):
        pass
    print(args.output)
    return 0
