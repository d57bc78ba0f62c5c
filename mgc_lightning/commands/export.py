"""`mgc export`: a checkpoint as ONNX, torch.export and safetensors files."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "export a checkpoint to ONNX, torch.export and safetensors, and compare each with the network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="a .ckpt of `fit`, a .safetensors, or the folder of an export",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=("onnx", "torch", "safetensors"),
        default=["onnx", "torch", "safetensors"],
        help="default: all three",
    )
    parser.add_argument(
        "--face-model", metavar="NAME|PATH", help="the face model of the training, where it is kept elsewhere"
    )
    parser.add_argument("--level", type=int, help="level of detail of the mesh; default: that of the training")


def run(args: argparse.Namespace) -> int:
    """Export and print the differences."""
    from mgc_lightning.errors import MGCError
    from mgc_lightning.networks.export import export_network
    from mgc_lightning.networks.files import load_network

    network = load_network(args.checkpoint, face_model=args.face_model, level=args.level)
    try:
        print(export_network(network, args.output, args.formats))
    except OSError as error:
        raise MGCError(f"Could not write to {args.output}: {error}") from error
    return 0
