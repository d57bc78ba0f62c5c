"""`mgc benchmark submit realy`: a checkpoint's predictions for REALY."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import Count, Flag, Folder
from mgc_lightning.commands.benchmark_realy import Topology
from mgc_lightning.evaluation.settings import MeshFormat, REALYView
from mgc_lightning.networks.settings import NetworkSource


def submit_realy(
    *,
    dataset: Folder,
    photos: Annotated[Folder, Flag(earlier=("--images",))] | None = None,
    landmarks: Folder | None = None,
    output: Folder,
    view: REALYView = "frontal",
    topology: Topology | None = None,
    neutral: bool = False,
    format: MeshFormat = "obj",
    batch_size: Count = 16,
    network: NetworkSource,
    device: str = "cpu",
) -> int:
    """Write a checkpoint's meshes in the layout that `mgc benchmark realy` and the official program take.

    Args:
        dataset: folder of the data set.
        photos: folder of <subject>.jpg and <subject>_<view>.jpg.
        landmarks: folder of 68 or 5 landmarks or a box of each image.
        output: folder of the predictions.
        view: which photographs.
        topology: see `mgc benchmark realy`; default: that of the face model.
        neutral: leave the predicted expression away; published scores include it.
        format: of the meshes.
        batch_size: photographs at a time.
        network: the network.
        device: of the network: cpu, cuda, ...
    """
    from mgc_lightning.evaluation.realy import submission
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(network.checkpoint, network.face_model, network.level, device, network.imports)
    written = submission.submit_realy(
        predictor,
        dataset,
        output,
        photos=photos,
        landmarks=landmarks,
        view=view,
        topology=topology,
        neutral=neutral,
        format=format,
        batch_size=batch_size,
        device=device,
    )
    print(
        f"{written} Score them:\n  mgc benchmark realy --dataset {dataset} --predictions {output} "
        f"--topology {topology or written.topology} --view {view} --output realy.json"
    )
    return 0
