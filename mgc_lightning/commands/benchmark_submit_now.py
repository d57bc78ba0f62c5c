"""`mgc benchmark submit now`: a checkpoint's predictions for the NoW organisers."""

from __future__ import annotations

from mgc_lightning.arguments.types import Folder
from mgc_lightning.evaluation.settings import NoWSubmissionSettings
from mgc_lightning.networks.settings import NetworkSource


def submit_now(*, dataset: Folder, output: Folder, network: NetworkSource, settings: NoWSubmissionSettings) -> int:
    """Write a checkpoint's neutral meshes and landmarks in the layout that the NoW organisers take.

    Args:
        dataset: folder with the image list.
        output: folder of the submission.
        network: a trained network.
        settings: the submission.
    """
    from mgc_lightning.evaluation.now import submission

    print(submission.submit_now(network, dataset, output, settings))
    return 0
