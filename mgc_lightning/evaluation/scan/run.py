"""The work of `mgc benchmark scan`: run with a progress bar, write, print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.benchmark import HeadResult, Method, run_head
from mgc_lightning.evaluation.scan.results import write_results
from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings, pair_sources
from mgc_lightning.evaluation.scan.sheet import write_sheet
from mgc_lightning.evaluation.scan.summary import summarise
from mgc_lightning.evaluation.scan.table import print_summary
from mgc_lightning.face_models import EMBEDDED, load_face_model
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor


@dataclass(frozen=True)
class MethodSource:
    """Say where what is measured comes from.

    Attributes:
        checkpoint: a .ckpt, or an export.
        predictions: folder of another method's meshes.
        face_model: name or path; that of the checkpoint, or the embedded one, if None.
        detector: name of the detector that cuts crops, or None.
        weights: its weights.
        device: of network and detector.
    """

    checkpoint: Path | None = None
    predictions: Path | None = None
    face_model: str | None = None
    detector: str | None = None
    weights: tuple[Path, ...] = ()
    device: str = "cpu"

    def load(self) -> Method:
        """Load network and detector.

        Raises:
            MGCError: if one of them cannot be used.
        """
        if self.predictions is not None and not self.predictions.is_dir():
            raise MGCError(f"--predictions {self.predictions}: no such folder")
        if self.checkpoint is None:
            if self.detector is not None:
                raise MGCError("--detector cuts crops for a network: give --checkpoint too")
            return Method(load_face_model(self.face_model or EMBEDDED), None, self.predictions)
        detector = make_detector(self.detector, self.device, self.weights) if self.detector else None
        reconstructor = FaceReconstructor.load(
            self.checkpoint, face_model=self.face_model, detector=detector, device=self.device
        )
        return Method(reconstructor.face_model, reconstructor, self.predictions)


def benchmark_scans(
    scans: Sequence[Path],
    points: Sequence[Path],
    output: Path,
    source: MethodSource,
    settings: ScanBenchmarkSettings | None = None,
) -> list[HeadResult]:
    """Photograph scans, reconstruct them from the photographs, score, write and print.

    Writes below `output`: `HEAD/photographs/` and `HEAD/own_colours/` with `truth.json`, `HEAD/sheet.png`, and
    `scores.json`.

    Args:
        scans: textured heads.
        points: a file for each, or none: looked for beside them.
        output: folder.
        source: what is measured.
        settings: how.

    Raises:
        MGCError: if a scan, its points, the network or a prediction cannot be used.
    """
    settings = settings or ScanBenchmarkSettings()
    sources = pair_sources(scans, points)
    method = source.load()
    if settings.landmarks is not None and method.reconstructor is None:
        raise MGCError("--landmarks cuts crops for a network: give --checkpoint too")
    console = Console(stderr=True)
    results = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        for item in sources:
            results.append(run_head(item, output, method, settings, show))
            write_sheet(results[-1], method.face_model, output / results[-1].head.name / "sheet.png", settings.tile)
    rows = summarise(results, method.face_model)
    path = write_results(output, results, rows, settings)
    print_summary(rows, results)
    print("\n".join(map(str, [path, *(output / result.head.name / "sheet.png" for result in results)])))
    return results
