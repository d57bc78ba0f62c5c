"""`mgc benchmark submit now`: a checkpoint's predictions for the NoW organisers."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import Count, Flag, Folder, Metavar
from mgc_lightning.evaluation.settings import MeshFormat, NoWSplit
from mgc_lightning.networks.settings import NetworkSource


def submit_now(
    *,
    dataset: Folder,
    photos: Folder | None = None,
    output: Folder,
    split: NoWSplit = "test",
    neutral: Annotated[bool, Flag(off=("--expression",))] = True,
    format: MeshFormat = "obj",
    box_scale: Annotated[float, Metavar("X")] = 1.0,
    batch_size: Count = 16,
    network: NetworkSource,
    device: str = "cpu",
) -> int:
    """Write a checkpoint's neutral meshes and landmarks in the layout that the NoW organisers take.

    Args:
        dataset: folder with the image list.
        photos: tree with iphone_pictures/ and detected_face/.
        output: folder of the submission.
        split: list of the images.
        neutral: leave the predicted expression away, as NoW expects.
        format: of the meshes.
        box_scale: enlarge the detected boxes.
        batch_size: photographs at a time.
        network: the network.
        device: of the network: cpu, cuda, ...
    """
    from mgc_lightning.evaluation.now import submission
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(network.checkpoint, network.face_model, network.level, device, network.imports)
    written = submission.submit_now(
        predictor,
        dataset,
        output,
        photos=photos,
        split=split,
        neutral=neutral,
        format=format,
        box_scale=box_scale,
        batch_size=batch_size,
        device=device,
    )
    print(written)
    return 0
