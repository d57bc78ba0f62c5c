"""`mgc reconstruct`: from photographs and videos to faces."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "reconstruct the faces of photographs and videos: overlays, meshes, texture, depth, landmarks, coefficients"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    # No import of torch for `--help` of other commands.
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="photographs, videos, folders of them, patterns like 'photos/*.jpg'"
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="a .ckpt of `fit`, or an export: .onnx, .safetensors, .pt2"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write to, a sub-folder for each input"
    )
    where = parser.add_argument_group("where the face is (default: the detector says)")
    place = where.add_mutually_exclusive_group()
    place.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE|DIR",
        help="5 or 68 points in px of the photograph (.txt, .npy, .pts); a folder holds one file a photograph, by stem",
    )
    place.add_argument(
        "--box",
        type=float,
        nargs=4,
        metavar=("X0", "Y0", "X1", "Y1"),
        help="box around the face in px, hairline to chin, of one photograph or all frames; coarser than landmarks",
    )
    where.add_argument("--detector", default="face-alignment", choices=("face-alignment", "mediapipe"))
    where.add_argument("--weights", type=Path, nargs="+", default=[], metavar="PATH", help="the detector's weights")
    where.add_argument("--faces", default="largest", choices=("largest", "all"), help="of those that are detected")
    person = parser.add_argument_group("several photographs of one person")
    person.add_argument(
        "--same-person", action="store_true", help="one identity and albedo for all, refined by the training losses"
    )
    person.add_argument(
        "--one-moment",
        action="store_true",
        help="they are of one moment and one light: compare them pixel by pixel too",
    )
    person.add_argument("--steps", type=int, default=150, metavar="N", help="of the refinement (default: 150)")
    what = parser.add_argument_group("what is written")
    what.add_argument("--neutral", action="store_true", help="the shape without expression too")
    what.add_argument("--full-head", action="store_true", help="the whole head too, in the face model's vertex order")
    what.add_argument("--level", type=int, help="level of detail of the mesh; default: that of the training")
    parser.add_argument(
        "--smooth", type=float, default=0.0, metavar="SECONDS", help="temporal window of videos (default: none)"
    )
    parser.add_argument(
        "--face-model", metavar="NAME|PATH", help="the face model of the training, where it is kept elsewhere"
    )
    parser.add_argument("--batch-size", type=int, default=4, metavar="N", help="photographs at a time (default: 4)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")


def run(args: argparse.Namespace) -> int:
    """Reconstruct every input; 1 if one of several could not be used."""
    from mgc_lightning.reconstruction.run import reconstruct_inputs

    return reconstruct_inputs(args)
