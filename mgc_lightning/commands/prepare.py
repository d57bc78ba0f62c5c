"""`mgc prepare`: from photographs, videos and known data sets to training triplets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Count, Folder, Metavar
from mgc_lightning.preparation.settings import PrepareSettings

CORES = os.cpu_count() or 1


def prepare(
    source: Annotated[list[Path], Metavar("SOURCE")],
    *,
    output: Folder,
    jobs: Count = CORES,
    settings: PrepareSettings,
) -> int:
    """Turn photographs, videos or a known data set into training triplets.

    Args:
        source: a folder with a sub-folder for each person (and in it one for each moment), a .csv with path, identity,
            capture, videos, or a data set: 300W-LP, Multi-PIE, CelebA, MGCNet's own layout.
        output: new or empty folder; or go on there.
        jobs: processes.
        settings: the set.
    """
    from rich.console import Console

    from mgc_lightning.preparation.run import prepare as prepare_set

    console = Console()
    manifest = prepare_set(source, output, settings, jobs=jobs, console=console)
    samples = sum(shard["samples"] for shard in manifest["splits"]["train"])
    console.print(f"{output}: {samples} samples to train on. Look at contact_sheet.png and rejected.csv; then")
    print(
        "  lightning fit --config configs/mgcnet.yaml --data datamodules.TripletDataModule "
        f"--data.init_args.path={output}"
    )
    return 0
