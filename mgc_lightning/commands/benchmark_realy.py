"""`mgc benchmark realy`: score any method's meshes by REALY."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Count, File, Folder, Metavar
from mgc_lightning.evaluation.settings import REALYView

Topology = Annotated[str, Metavar("NAME|PATH.obj")]


def benchmark_realy(
    *,
    dataset: Folder,
    predictions: Folder,
    topology: Topology,
    output: Annotated[Path, Metavar("FILE.json")],
    mask: File | None = None,
    view: REALYView | None = None,
    allow_missing: bool = False,
    jobs: Count = 1,
) -> int:
    """Score meshes by REALY: region-aware scan-to-mesh error at the official numbers.

    Args:
        dataset: folder with REALY_HIFI3D_keypoints/, REALY_scan_region/ and metrical_scale.txt.
        predictions: meshes <subject>.obj or <subject>_<view>.obj.
        topology: makehuman, makehuman-1 (subdivided), ict (imported), ict:PATH.obj; or a template with 85 keypoints in
            the .txt beside it, such as data/BFM09.obj of the REALY repository.
        output: results; REALY_error.txt and error maps (PLY) go to a folder of that name, where a stopped run goes on.
        mask: 0 or 1 per template vertex: what to measure to.
        view: predictions to score; default: all in the folder.
        allow_missing: score what is there.
        jobs: processes.
    """
    from mgc_lightning.evaluation.realy import benchmark
    from mgc_lightning.evaluation.realy.table import print_scores

    run = benchmark.benchmark_realy(
        dataset, predictions, output, topology, mask=mask, view=view, allow_missing=allow_missing, jobs=jobs
    )
    print_scores(run.scores, view, run.missing)
    print(f"{run.folder.output}\n{run.folder.error_text}\n{run.folder.error_maps}/<prediction>/error_<region>.ply")
    return 0
