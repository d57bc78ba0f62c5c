"""`mgc synthesize realy`: a synthetic data set in REALY's layout."""

from __future__ import annotations

from mgc_lightning.arguments.types import Folder
from mgc_lightning.synthetic.set_settings import RealySetSettings


def synthesize_realy(*, output: Folder, settings: RealySetSettings) -> int:
    """Write a synthetic data set in REALY's official layout (CC0): scans, keypoints, images, predictions.

    Args:
        output: new or empty folder.
        settings: the set.
    """
    from rich.console import Console
    from rich.progress import track

    from mgc_lightning.synthetic.realy import synthesize_realy as write_set

    for _ in track(write_set(output, settings), "REALY", total=settings.subjects, console=Console(stderr=True)):
        pass
    print(output)
    return 0
