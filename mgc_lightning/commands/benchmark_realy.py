"""`mgc benchmark realy`: score any method's meshes by REALY."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Folder, Metavar
from mgc_lightning.evaluation.settings import REALYSettings, TopologyName


def benchmark_realy(
    *,
    dataset: Folder,
    predictions: Folder,
    topology: TopologyName,
    output: Annotated[Path, Metavar("FILE.json")],
    settings: REALYSettings,
) -> int:
    """Score meshes by REALY: region-aware scan-to-mesh error at the official numbers.

    Args:
        dataset: folder with REALY_HIFI3D_keypoints/, REALY_scan_region/ and metrical_scale.txt.
        predictions: meshes <subject>.obj or <subject>_<view>.obj.
        topology: makehuman, makehuman-1 (subdivided), ict (imported), ict:PATH.obj; or a template with 85 keypoints in
            the .txt beside it, such as data/BFM09.obj of the REALY repository.
        output: results; REALY_error.txt and error maps (PLY) go to a folder of that name, where a stopped run goes on.
        settings: the benchmark.
    """
    from mgc_lightning.evaluation.origin import is_synthetic
    from mgc_lightning.evaluation.realy import benchmark
    from mgc_lightning.evaluation.realy.table import print_scores

    run = benchmark.benchmark_realy(dataset, predictions, output, topology, settings)
    print_scores(run.scores, settings.view, run.missing, published=not is_synthetic(dataset))
    print(f"{run.folder.output}\n{run.folder.error_text}\n{run.folder.error_maps}/<prediction>/error_<region>.ply")
    return 0
