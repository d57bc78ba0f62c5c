"""`mgc benchmark realy`: score any method's meshes by REALY."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

HELP = "score meshes by REALY: region-aware scan-to-mesh error at the official numbers"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--dataset",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with REALY_HIFI3D_keypoints/, REALY_scan_region/ and metrical_scale.txt",
    )
    parser.add_argument(
        "--predictions", type=Path, required=True, metavar="DIR", help="meshes <subject>.obj or <subject>_<view>.obj"
    )
    parser.add_argument(
        "--topology",
        required=True,
        metavar="NAME|PATH.obj",
        help="makehuman, makehuman-1 (subdivided), ict (imported), ict:PATH.obj; or a template with 85 keypoints in "
        "the .txt beside it, such as data/BFM09.obj of the REALY repository",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="results; REALY_error.txt and error maps (PLY) go to a folder of that name, where a stopped run goes on",
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="0 or 1 per template vertex: what to measure to")
    parser.add_argument("--view", choices=("frontal", "side"), help="predictions to score; default: all in the folder")
    parser.add_argument("--allow-missing", action="store_true", help="score what is there")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Score, write, and print the table."""
    from mgc_lightning.errors import MGCError
    from mgc_lightning.evaluation.realy.benchmark import (
        BenchmarkFolder,
        missing_predictions,
        run_benchmark,
        write_results,
    )
    from mgc_lightning.evaluation.realy.dataset import IMAGES_FOLDER, REALYDataset
    from mgc_lightning.evaluation.realy.images import list_images
    from mgc_lightning.evaluation.realy.predictions import list_predictions
    from mgc_lightning.evaluation.realy.table import print_scores
    from mgc_lightning.evaluation.realy.topology import load_topology, read_mask

    if args.output.suffix != ".json":
        raise MGCError(f"--output {args.output}: expected a .json file")
    scans = REALYDataset(args.dataset)
    topology = load_topology(args.topology)
    if args.mask:
        topology = replace(topology, mask=read_mask(args.mask, topology.vertex_count))
    files = list_predictions(args.predictions, args.view)
    missing = missing_predictions(scans, files, args.view, list_images(args.dataset / IMAGES_FOLDER))
    if missing and not args.allow_missing:
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise MGCError(
            f"{args.predictions}: {len(missing)} predictions are missing: {shown}. An average without them is no REALY "
            "score; give --allow-missing to compute it all the same"
        )
    paths = BenchmarkFolder(args.output)
    scores = run_benchmark(scans, files, topology, paths, args.jobs)
    write_results(paths, scores, missing)
    view = args.view or ("side" if all("_" in item.name for item in files) else "frontal")
    print_scores(scores, view, missing)
    print(f"{paths.output}\n{paths.error_text}\n{paths.error_maps}/<prediction>/error_<region>.ply")
    return 0
