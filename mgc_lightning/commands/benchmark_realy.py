"""`mgc benchmark realy`: score any method's meshes by REALY."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Count, File, Folder, Metavar
from mgc_lightning.evaluation.settings import RealyView

Topology = Annotated[str, Metavar("NAME|PATH.obj")]


def benchmark_realy(
    *,
    dataset: Folder,
    predictions: Folder,
    topology: Topology,
    output: Annotated[Path, Metavar("FILE.json")],
    mask: File | None = None,
    view: RealyView | None = None,
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

    if output.suffix != ".json":
        raise MGCError(f"`output` must end in .json; got {output}")
    scans = REALYDataset(dataset)
    template = load_topology(topology)
    if mask:
        template = replace(template, mask=read_mask(mask, template.vertex_count))
    files = list_predictions(predictions, view)
    missing = missing_predictions(scans, files, view, list_images(dataset / IMAGES_FOLDER))
    if missing and not allow_missing:
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise MGCError(
            f"{predictions}: {len(missing)} predictions are missing: {shown}. An average without them is no REALY "
            "score; give `allow_missing=True` to compute it all the same"
        )
    paths = BenchmarkFolder(output)
    scores = run_benchmark(scans, files, template, paths, jobs)
    write_results(paths, scores, missing)
    print_scores(scores, view or ("side" if all("_" in item.name for item in files) else "frontal"), missing)
    print(f"{paths.output}\n{paths.error_text}\n{paths.error_maps}/<prediction>/error_<region>.ply")
    return 0
