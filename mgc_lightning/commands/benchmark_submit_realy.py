"""`mgc benchmark submit realy`: a checkpoint's predictions for REALY."""

from __future__ import annotations

from mgc_lightning.arguments.types import Count, Folder
from mgc_lightning.commands.benchmark_realy import Topology
from mgc_lightning.evaluation.settings import MeshFormat, RealyView
from mgc_lightning.networks.settings import NetworkSource


def submit_realy(
    *,
    dataset: Folder,
    images: Folder | None = None,
    landmarks: Folder | None = None,
    output: Folder,
    view: RealyView = "frontal",
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
        images: folder of <subject>.jpg and <subject>_<view>.jpg.
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
    from rich.console import Console
    from rich.progress import track
    from torch.utils.data import DataLoader

    from mgc_lightning.evaluation.photo_sets import collate
    from mgc_lightning.evaluation.realy.photos import RealyPhotos
    from mgc_lightning.evaluation.realy.submission import validate_predictions, write_predictions
    from mgc_lightning.evaluation.realy.topology import load_topology, topology_of
    from mgc_lightning.networks.predictor import load_predictor

    predictor = load_predictor(network.checkpoint, network.face_model, network.level, device, network.imports)
    model, size = predictor.face_model, predictor.image_size
    template = load_topology(topology) if topology else topology_of(model)
    photos = RealyPhotos(dataset, model, size, images, landmarks, view)
    crops = track(DataLoader(photos, batch_size, collate_fn=collate), "REALY", console=Console(stderr=True))
    write_predictions(predictor, crops, output, device, neutral, suffix=f".{format}")
    validate_predictions(output, photos.names, view, template)
    print(
        f"{output}: {len(photos)} {view} predictions (mm), read back and found complete. Score them:\n"
        f"  mgc benchmark realy --dataset {dataset} --predictions {output} --topology {topology or template.name} "
        f"--view {view} --output realy.json"
    )
    return 0
