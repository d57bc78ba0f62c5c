"""`mgc benchmark scan`: photograph textured head scans, reconstruct them, and score by NoW."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "photograph textured head scans by virtual cameras, reconstruct them from the pictures, and score by NoW"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "scans", type=Path, nargs="+", metavar="SCAN", help=".obj with MTL and image, .ply or .glb; a head a file"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="photographs with their truth, scores.json, sheets"
    )
    scan = parser.add_argument_group("scans")
    scan.add_argument(
        "--points",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="NoW's 7 or iBUG's 68 points of each scan (.json, .txt, .npy, .pp); default: looked for beside it",
    )
    scan.add_argument(
        "--unit", choices=("mm", "cm", "m"), help="of scans and points; default: what the points' file says, or mm"
    )
    scan.add_argument(
        "--votes",
        choices=("auto", "vertices", "surface"),
        default="auto",
        help="what NoW counts: the scan's vertices, or points of its surface at equal density; auto: the surface where "
        "fewer than 10,000 vertices would vote",
    )
    method = parser.add_argument_group("what is measured (without any of it: mean face and limit)")
    method.add_argument("--checkpoint", type=Path, help="a .ckpt of `fit`, or an export: .onnx, .safetensors, .pt2")
    method.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="another method's neutral meshes: HEAD/photographs/NAME.obj (or .ply) with seven landmarks in NAME.npy "
        "(or .txt), for the photographs of an earlier run; likewise HEAD/own_colours",
    )
    method.add_argument("--face-model", metavar="NAME|PATH", help="whose limit is shown; default: the checkpoint's")
    crops = parser.add_argument_group("crops by a detector")
    crops.add_argument("--detector", choices=("face-alignment", "mediapipe"), help="default: none")
    crops.add_argument("--weights", type=Path, nargs="+", default=[], metavar="PATH", help="the detector's weights")
    crops.add_argument(
        "--landmarks",
        type=Path,
        metavar="DIR",
        help="instead of a detector, its 5 or 68 points of each photograph of an earlier run, by stem",
    )
    more = parser.add_argument_group("more")
    more.add_argument("--box-looseness", type=float, default=0.05, metavar="SHARE", help="of each side (default: .05)")
    more.add_argument("--no-refine", action="store_true", help="leave out several photographs of one person")
    more.add_argument("--steps", type=int, default=150, metavar="N", help="of that refinement (default: 150)")
    more.add_argument("--image-size", type=int, default=512, metavar="PX", help="of the photographs (default: 512)")
    more.add_argument("--seed", type=int, default=0, help="of cameras, lights, backgrounds, colours (default: 0)")
    more.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")


def run(args: argparse.Namespace) -> int:
    """Run, write, and print the table."""
    from mgc_lightning.evaluation.scan.plan import PhotographSettings
    from mgc_lightning.evaluation.scan.run import MethodSource, benchmark_scans
    from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings

    settings = ScanBenchmarkSettings(
        photographs=PhotographSettings(image_size=args.image_size, seed=args.seed),
        unit=args.unit,
        votes=args.votes,
        landmarks=args.landmarks,
        box_looseness=args.box_looseness,
        refine=not args.no_refine,
        steps=args.steps,
    )
    method = MethodSource(
        args.checkpoint, args.predictions, args.face_model, args.detector, tuple(args.weights), args.device
    )
    benchmark_scans(args.scans, args.points, args.output, method, settings)
    return 0
