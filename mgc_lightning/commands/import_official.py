"""`mgc import-official`: the official program's TensorFlow-1 checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import AnyPath, Metavar
from mgc_lightning.official.kinds import OfficialNetwork


def import_official(
    *,
    checkpoint: AnyPath,
    output: Annotated[Path, Metavar("FILE.safetensors")],
    network: OfficialNetwork = "mgcnet",
) -> int:
    """Convert official TensorFlow-1 weights (MGCNet, FaceNet, ImageNet's ResNet-50) to safetensors.

    Args:
        checkpoint: prefix of the checkpoint, e.g. model-400000, or one of its files.
        output: the file to write.
        network: mgcnet: the reconstruction network; facenet: the recogniser 20180402-114759 of the identity loss;
            imagenet: slim's resnet_v1_50.ckpt, its batch norm folded, to start training from.
    """
    from mgc_lightning.official.weights import import_official as convert

    about = convert(checkpoint, output, network)
    uses: dict[OfficialNetwork, str] = {
        "mgcnet": f"reconstruct a photograph with it: mgc reconstruct PHOTO --checkpoint {output}",
        "facenet": "give it to the identity loss: see `identity` in configs/mgcnet.yaml",
        "imagenet": f"start training from it: lightning fit --config mgcnet --model.init={output}",
    }
    print(f"Wrote {output}: {network} from {about['source']} (sha256 {about['sha256'][:16]}...)")
    print(f"Next, {uses[network]}")
    return 0
