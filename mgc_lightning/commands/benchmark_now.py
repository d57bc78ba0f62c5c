"""`mgc benchmark now`: score any method's meshes by NoW."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "score meshes by NoW: scan-to-mesh error of neutral faces at the official numbers"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--dataset",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with imagepathsvalidation.txt or imagepathstest.txt, scans/ and scans_lmks_onlypp/",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="DIR",
        help="SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with seven landmarks in IMAGE.npy (or .txt)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="results; distances, curve and summary go to a folder of that name, where a stopped run goes on",
    )
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="default: validation")
    parser.add_argument("--challenge", metavar="NAME", help="one challenge only, e.g. selfie")
    parser.add_argument("--metrical", choices=("mm", "cm", "m"), help="keep the scale of the predictions, in this unit")
    parser.add_argument(
        "--corrected-start",
        action="store_true",
        help="metrical only: start from the translation of the fixed scale. The official program starts predictions "
        "that are far from their origin centimetres off; these numbers are not comparable with its",
    )
    parser.add_argument("--allow-missing", action="store_true", help="score what is there")
    parser.add_argument("--skip-checks", action="store_true", help="do not check units and the order of landmarks")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Check, score, write, and print the table."""
    from mgc_lightning.errors import MGCError
    from mgc_lightning.evaluation.now.benchmark import Protocol, forget_finished, run_benchmark
    from mgc_lightning.evaluation.now.checks import check_predictions
    from mgc_lightning.evaluation.now.dataset import NoWDataset
    from mgc_lightning.evaluation.now.predictions import find_predictions
    from mgc_lightning.evaluation.now.results import BenchmarkFiles, write_results
    from mgc_lightning.evaluation.now.table import print_scores

    if args.output.suffix != ".json":
        raise MGCError(f"--output {args.output}: expected a .json file")
    if args.corrected_start and not args.metrical:
        raise MGCError("--corrected-start is an option of the metrical benchmark: give --metrical too")
    dataset = NoWDataset(args.dataset)
    images = dataset.images(args.split, args.challenge)
    files, without = find_predictions(args.predictions, images)
    missing = [image.name for image in without]
    if missing and (not files or not args.allow_missing):
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise MGCError(
            f"{args.predictions}: {len(missing)} of {len(images)} predictions are missing: {shown}. "
            + ("There is nothing to score" if not files else "An error without them is no NoW score")
            + ("" if not files else "; give --allow-missing to compute it all the same")
        )
    for line in [] if args.skip_checks else check_predictions(dataset, files, args.metrical):
        print(f"warning: {line}")
    paths = BenchmarkFiles(args.output, bool(args.metrical), args.challenge)
    protocol = Protocol(args.metrical, args.corrected_start)
    scores = run_benchmark(dataset, files, protocol, paths.finished, args.jobs)
    write_results(paths, scores, missing, [image.line for image in images])
    forget_finished(paths.finished)
    print_scores(scores, args.metrical, args.split, missing)
    print("\n".join(str(path) for path in (paths.output, paths.distances, paths.curve_picture)))
    return 0
