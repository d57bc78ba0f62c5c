"""`mgc report`: one page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Flag, Metavar, Whole


def report(
    source: Annotated[Path, Metavar("RUN_OR_DIR")],
    *,
    output: Annotated[Path, Metavar("FILE.html"), Flag("--output", earlier=("-o",))] = Path("report.html"),
    faces: Whole = 3,
) -> int:
    """Write one HTML page of a training, of a benchmark's results, or of reconstructed faces: it stands alone.

    Curves, tables with the mean face, contact sheets, faces that turn, config and command.

    Args:
        source: folder of a run of `lightning fit`, JSON file or folder of `mgc benchmark`, output of `mgc reconstruct`,
            or a folder of them.
        output: the page.
        faces: unseen synthetic faces that are shown as a run's export sees them.
    """
    from mgc_lightning.report.write import write_report

    print(write_report(source, output, faces))
    return 0
