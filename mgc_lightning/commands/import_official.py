"""Convert the official program's TensorFlow-1 checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "convert official TensorFlow-1 weights (MGCNet, FaceNet, ImageNet's ResNet-50) to safetensors"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="prefix of the checkpoint, e.g. model-400000, or one of its files",
    )
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument(
        "--network",
        choices=("mgcnet", "facenet", "imagenet"),
        default="mgcnet",
        help="mgcnet: the reconstruction network (default); facenet: the recogniser 20180402-114759 of the "
        "identity loss; imagenet: slim's resnet_v1_50.ckpt, its batch norm folded, to start training from",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was written."""
    from mgc_lightning.official.weights import import_official

    about = import_official(args.checkpoint, args.output, args.network)
    uses = {
        "mgcnet": f"reconstruct a photograph with it: mgc reconstruct PHOTO --checkpoint {args.output}",
        "facenet": "give it to the identity loss: see `identity` in configs/mgcnet.yaml",
        "imagenet": f"start training from it: lightning fit --config mgcnet --model.init={args.output}",
    }
    print(f"Wrote {args.output}: {args.network} from {about['source']} (sha256 {about['sha256'][:16]}...)")
    print(f"Next, {uses[args.network]}")
    return 0
