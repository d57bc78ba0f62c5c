"""`mgc benchmark now`: score any method's meshes by NoW."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Count, Folder, Metavar
from mgc_lightning.evaluation.settings import NoWSplit
from mgc_lightning.metrics.now.units import Unit


def benchmark_now(
    *,
    dataset: Folder,
    predictions: Folder,
    output: Annotated[Path, Metavar("FILE.json")],
    split: NoWSplit = "validation",
    challenge: Annotated[str, Metavar("NAME")] | None = None,
    metrical: Unit | None = None,
    corrected_start: bool = False,
    allow_missing: bool = False,
    skip_checks: bool = False,
    jobs: Count = 1,
) -> int:
    """Score meshes by NoW: scan-to-mesh error of neutral faces at the official numbers.

    Args:
        dataset: folder with imagepathsvalidation.txt or imagepathstest.txt, scans/ and scans_lmks_onlypp/.
        predictions: SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with seven landmarks in IMAGE.npy (or .txt).
        output: results; distances, curve and summary go to a folder of that name, where a stopped run goes on.
        split: list of the images.
        challenge: one challenge only, e.g. selfie.
        metrical: keep the scale of the predictions, in this unit.
        corrected_start: metrical only: start from the translation of the fixed scale. The official program starts
            predictions that are far from their origin centimetres off; these numbers are not comparable with its.
        allow_missing: score what is there.
        skip_checks: do not check units and the order of landmarks.
        jobs: processes.
    """
    from mgc_lightning.errors import MGCError
    from mgc_lightning.evaluation.now.benchmark import Protocol, forget_finished, run_benchmark
    from mgc_lightning.evaluation.now.checks import check_predictions
    from mgc_lightning.evaluation.now.dataset import NoWDataset
    from mgc_lightning.evaluation.now.predictions import find_predictions
    from mgc_lightning.evaluation.now.results import BenchmarkFiles, write_results
    from mgc_lightning.evaluation.now.table import print_scores

    if output.suffix != ".json":
        raise MGCError(f"`output` must end in .json; got {output}")
    if corrected_start and not metrical:
        raise MGCError("`corrected_start=True` is an option of the metrical benchmark: give `metrical` too")
    data = NoWDataset(dataset)
    images = data.images(split, challenge)
    files, without = find_predictions(predictions, images)
    missing = [image.name for image in without]
    if missing and (not files or not allow_missing):
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise MGCError(
            f"{predictions}: {len(missing)} of {len(images)} predictions are missing: {shown}. "
            + ("There is nothing to score" if not files else "An error without them is no NoW score")
            + ("" if not files else "; give `allow_missing=True` to compute it all the same")
        )
    for line in [] if skip_checks else check_predictions(data, files, metrical):
        print(f"warning: {line}")
    paths = BenchmarkFiles(output, bool(metrical), challenge)
    scores = run_benchmark(data, files, Protocol(metrical, corrected_start), paths.finished, jobs)
    write_results(paths, scores, missing, [image.line for image in images])
    forget_finished(paths.finished)
    print_scores(scores, metrical, split, missing)
    print("\n".join(str(path) for path in (paths.output, paths.distances, paths.curve_picture)))
    return 0
