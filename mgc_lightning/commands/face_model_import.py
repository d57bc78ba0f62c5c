"""Convert a face model that its owner distributes."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "convert your copy of BFM, FLAME or ICT-FaceKit once, into the cache"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from mgc_lightning.face_models.importing import SOURCES

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Convert a face model once, into the cache; every command then knows it by name."
    parser.epilog = "sources:\n" + "\n".join(f"  {kind:13s} {source.what}" for kind, source in SOURCES.items())
    parser.add_argument("kind", choices=list(SOURCES), metavar="MODEL", help=", ".join(SOURCES))
    parser.add_argument("--source", type=Path, required=True, help="the owner's file or folder")
    parser.add_argument("--name", help="name under which it is kept (default: MODEL)")


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was kept."""
    from mgc_lightning.face_models import FaceModel, read_face_model
    from mgc_lightning.face_models.importing import import_face_model

    path = import_face_model(args.kind, args.source, args.name)
    data = read_face_model(path)
    print(FaceModel(data))
    print(f"Licence: {data.info.licence}")
    for source in data.info.sources[:3]:
        print(f"From {source.name}, sha256 {source.sha256}")
    print(f"Kept as {path}; use it with `face_model: {data.info.name}`")
    return 0
