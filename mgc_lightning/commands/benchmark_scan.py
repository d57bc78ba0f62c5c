"""`mgc benchmark scan`: photograph textured head scans, reconstruct them, and score by NoW."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.arguments.types import File, Folder, Metavar
from mgc_lightning.commands.progress import progress_bars
from mgc_lightning.evaluation.scan.settings import MethodSource, ScanBenchmarkSettings


def benchmark_scan(
    scans: Annotated[list[Path], Metavar("SCAN")],
    *,
    output: Folder,
    points: tuple[File, ...] = (),
    method: MethodSource,
    settings: ScanBenchmarkSettings,
    device: str = "cpu",
) -> int:
    """Photograph textured head scans, reconstruct them from the photographs, and score by NoW.

    The table has a column for each way of cutting crops, and one for the same geometry, cameras and lights in the
    colours of our synthetic faces; beside the network stand the mean face and the limit, the best that the face model
    can do.

    Args:
        scans: heads, a file each: .obj with MTL and image, .ply or .glb.
        output: folder for photographs with their truth, scores.json and a sheet of pictures a head.
        points: NoW's 7 or iBUG's 68 points of each scan, in order (.json, .txt, .npy, .pp); looked for beside the scans
            if not given.
        method: what is measured.
        settings: how.
        device: of network and detector: cpu, cuda, cuda:1, ...
    """
    from mgc_lightning.evaluation.scan.run import benchmark_scans
    from mgc_lightning.evaluation.scan.table import print_summary
    from mgc_lightning.synthetic.complexion import paint_person

    with progress_bars() as show:
        report = benchmark_scans(
            scans,
            output,
            points=points,
            method=method,
            settings=settings,
            device=device,
            paint=paint_person,
            on_step=show,
        )
    print_summary(report.rows, report.results, reword=CommandParser(benchmark_scan, "mgc benchmark scan").in_flags)
    print("\n".join(map(str, report.files)))
    return 0
