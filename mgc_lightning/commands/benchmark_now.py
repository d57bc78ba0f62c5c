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
    from mgc_lightning.evaluation.now import benchmark
    from mgc_lightning.evaluation.now.table import print_scores

    run = benchmark.benchmark_now(
        dataset,
        predictions,
        output,
        split=split,
        challenge=challenge,
        metrical=metrical,
        corrected_start=corrected_start,
        allow_missing=allow_missing,
        skip_checks=skip_checks,
        jobs=jobs,
    )
    print_scores(run.scores, metrical, split, run.missing)
    print("\n".join(str(path) for path in (run.folder.output, run.folder.distances, run.folder.curve_picture)))
    return 0
