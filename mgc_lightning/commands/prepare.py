"""`mgc prepare`: from photographs, videos and known data sets to training triplets."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

HELP = "turn photographs, videos or a known data set into training triplets"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    # No import of torch for `--help` of other commands.
    parser.add_argument(
        "source",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="a folder with a sub-folder for each person (and in it one for each moment), a .csv with path, identity, "
        "capture, videos, or a data set: 300W-LP, Multi-PIE, CelebA, MGCNet's own layout",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="new or empty folder; or go on there")
    parser.add_argument(
        "--kind",
        default="auto",
        choices=("auto", "folder", "csv", "videos", "300w-lp", "multi-pie", "celeba", "official"),
        help="layout of SOURCE (default: looks)",
    )
    parser.add_argument("--detector", default="face-alignment", choices=("face-alignment", "mediapipe"))
    parser.add_argument("--landmarks", type=Path, metavar="DIR", help="given landmarks instead: .pts, .txt, .npy")
    parser.add_argument("--skin", default="colours", choices=("colours", "parsing"), help="skin model")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="given skin masks instead")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], metavar="PATH", help="the detector's weights")
    parser.add_argument("--size", type=int, default=224, metavar="PX", help="side of the crops (default: 224)")
    parser.add_argument("--several", default="largest", choices=("largest", "reject"), help="several faces")
    parser.add_argument("--min-scale", type=float, default=0.3, help="px of the photograph for a px of the crop")
    parser.add_argument("--min-sharpness", type=float, default=2.0, help="of the face, in 1/255")
    parser.add_argument("--min-confidence", type=float, default=0.2, help="mean of the landmarks")
    parser.add_argument("--min-step", type=float, default=8.0, help="degrees of yaw between linked neighbours")
    parser.add_argument("--max-step", type=float, default=45.0, help="degrees of yaw between linked neighbours")
    parser.add_argument("--max-per-identity", type=int, default=1000, metavar="N", help="triplets")
    parser.add_argument("--val-share", type=float, default=0.02, help="share of the people kept for validation")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="between frames of a video")
    parser.add_argument("--shard-samples", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--device", default="cpu", help="of the detector: cpu, cuda, ...")


def run(args: argparse.Namespace) -> int:
    """Prepare, and say how to train on the set."""
    from rich.console import Console

    from mgc_lightning.photographs.quality import QualityLimits
    from mgc_lightning.photographs.sources import open_source
    from mgc_lightning.photographs.sources.find import guess_kind
    from mgc_lightning.preparation.faces import FaceSettings
    from mgc_lightning.preparation.official import convert_official
    from mgc_lightning.preparation.run import prepare
    from mgc_lightning.preparation.settings import PrepareSettings
    from mgc_lightning.triplets.grouping import GroupingSettings

    limits = QualityLimits(args.min_scale, args.min_sharpness, args.min_confidence, several=args.several)
    faces = FaceSettings(
        args.size, args.detector, args.landmarks, args.skin, args.masks, tuple(args.weights), args.device, limits=limits
    )
    grouping = GroupingSettings(
        args.min_step, args.max_step, args.max_per_identity, val_share=args.val_share, seed=args.seed
    )
    settings = PrepareSettings(faces, grouping, args.shard_samples)
    console = Console()
    existing = all(place.exists() for place in args.source)
    kind = guess_kind(args.source) if args.kind == "auto" and existing else args.kind
    if kind == "official":
        manifest = convert_official(args.source[0], args.output, settings, console=console)
    else:
        source = open_source(args.source, kind, args.every)
        manifest = prepare(source, args.output, settings, jobs=args.jobs, console=console)
    samples = sum(shard["samples"] for shard in manifest["splits"]["train"])
    console.print(f"{args.output}: {samples} samples to train on. Look at contact_sheet.png and rejected.csv; then")
    print(
        "  lightning fit --config configs/mgcnet.yaml --data datamodules.TripletDataModule "
        f"--data.init_args.path={args.output}"
    )
    return 0
