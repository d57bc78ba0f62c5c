"""`mgc benchmark submit now`: a checkpoint's predictions for the NoW organisers."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import Count, Folder, Metavar
from mgc_lightning.evaluation.settings import MeshFormat, NoWSplit
from mgc_lightning.networks.settings import NetworkSource


def submit_now(
    *,
    dataset: Folder,
    photos: Folder | None = None,
    output: Folder,
    split: NoWSplit = "test",
    expression: bool = False,
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
        expression: keep the expression; NoW expects neutral faces.
        format: of the meshes.
        box_scale: enlarge the detected boxes.
        batch_size: photographs at a time.
        network: the network.
        device: of the network: cpu, cuda, ...
    """
    from rich.console import Console
    from rich.progress import track
    from torch.utils.data import DataLoader

    from mgc_lightning.evaluation.now.dataset import NoWDataset
    from mgc_lightning.evaluation.now.photos import NoWPhotos
    from mgc_lightning.evaluation.now.submission import validate_submission, write_submission
    from mgc_lightning.evaluation.photo_sets import collate
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(network.checkpoint, network.face_model, network.level, device, network.imports)
    data = NoWDataset(dataset, photos)
    images = data.images(split)
    crops = NoWPhotos(data, images, predictor.face_model, predictor.image_size, box_scale)
    batches = track(DataLoader(crops, batch_size, collate_fn=collate), "NoW", console=Console(stderr=True))
    write_submission(predictor, batches, images, output, device, expression, suffix=f".{format}")
    validate_submission(output, images)
    shape = "with expression" if expression else "neutral"
    print(f"{output}: {len(images)} predictions ({shape}, mm), read back and found complete.")
    return 0
