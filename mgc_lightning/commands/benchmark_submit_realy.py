"""`mgc benchmark submit realy`: a checkpoint's predictions for REALY."""

from __future__ import annotations

from mgc_lightning.arguments.types import Folder
from mgc_lightning.evaluation.settings import REALYSubmissionSettings, TopologyName
from mgc_lightning.networks.settings import NetworkSource


def submit_realy(
    *,
    dataset: Folder,
    output: Folder,
    topology: TopologyName | None = None,
    network: NetworkSource,
    settings: REALYSubmissionSettings,
) -> int:
    """Write a checkpoint's meshes in the layout that `mgc benchmark realy` and the official program take.

    Args:
        dataset: folder of the data set.
        output: folder of the predictions.
        topology: see `mgc benchmark realy`; that of the face model if not given.
        network: a trained network.
        settings: the submission.
    """
    from mgc_lightning.evaluation.realy import submission

    written = submission.submit_realy(network, dataset, output, topology, settings)
    print(
        f"{written} Score them:\n  mgc benchmark realy --dataset {dataset} --predictions {output} "
        f"--topology {topology or written.topology} --view {settings.view} --output realy.json"
    )
    return 0
