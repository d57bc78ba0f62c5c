"""`mgc benchmark now`: score any method's meshes by NoW."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Folder, Metavar
from mgc_lightning.evaluation.settings import NoWSettings


def benchmark_now(
    *,
    dataset: Folder,
    predictions: Folder,
    output: Annotated[Path, Metavar("FILE.json")],
    settings: NoWSettings,
) -> int:
    """Score meshes by NoW: scan-to-mesh error of neutral faces at the official numbers.

    Args:
        dataset: folder with imagepathsvalidation.txt or imagepathstest.txt, scans/ and scans_lmks_onlypp/.
        predictions: SUBJECT/CHALLENGE/IMAGE.obj (or .ply) with seven landmarks in IMAGE.npy (or .txt).
        output: results; distances, curve and summary go to a folder of that name, where a stopped run goes on.
        settings: the benchmark.
    """
    from mgc_lightning.evaluation.now import benchmark
    from mgc_lightning.evaluation.now.table import print_scores
    from mgc_lightning.evaluation.origin import is_synthetic

    run = benchmark.benchmark_now(dataset, predictions, output, settings)
    published = not is_synthetic(dataset)
    print_scores(run.scores, settings.unit, settings.split, run.missing, published=published)
    print("\n".join(str(path) for path in (run.folder.output, run.folder.distances, run.folder.curve_picture)))
    return 0
