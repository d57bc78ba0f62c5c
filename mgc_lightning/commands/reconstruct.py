"""`mgc reconstruct`: from photographs and videos to faces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Folder, Metavar
from mgc_lightning.commands.progress import progress_bars
from mgc_lightning.networks.settings import NetworkSource
from mgc_lightning.reconstruction.settings import OUTPUT, ReconstructSettings


def reconstruct(
    inputs: Annotated[list[str], Metavar("INPUT")],
    *,
    output: Folder = Path(OUTPUT),
    network: NetworkSource,
    settings: ReconstructSettings,
) -> int:
    """Reconstruct the faces of photographs and videos: overlays, meshes, texture, depth, landmarks, coefficients.

    The status is 1 if one of several inputs could not be used.

    Args:
        inputs: photographs, videos, folders of them, patterns like 'photos/*.jpg'.
        output: folder to write to, a sub-folder for each input.
        network: a trained network.
        settings: more.
    """
    import logging

    from mgc_lightning.reconstruction.report import Done, Refused
    from mgc_lightning.reconstruction.run import reconstruct as reconstruct_files

    logging.basicConfig(format="%(message)s")
    logging.getLogger("mgc_lightning.photographs").setLevel(logging.INFO)  # which detector was chosen

    def tell(result: Done | Refused) -> None:
        if isinstance(result, Done):
            print(result, flush=True)
        else:
            print(f"error: {result}", file=sys.stderr)

    with progress_bars() as show:
        report = reconstruct_files(inputs, output, network, settings, on_result=tell, on_step=show)
    if report.shared:
        print(f"the face that all of them share, without expression: {report.shared}")
    if report.failed:
        files = {done.input for done in report.done} | {refused.input for refused in report.failed}
        print(f"{len(report.failed)} of {len(files)} inputs could not be used: see {report.path}")
    return 1 if report.failed else 0
