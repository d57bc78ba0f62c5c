"""The scan benchmark over several heads: loads what is measured, runs, writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.benchmark import HeadSource, Method, Paint, run_head
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.references import paint_by_basis
from mgc_lightning.evaluation.scan.results import write_results
from mgc_lightning.evaluation.scan.settings import MethodSource, ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.sheet import write_sheet
from mgc_lightning.evaluation.scan.summary import SummaryRow, summarise
from mgc_lightning.face_models.loading import load_face_model
from mgc_lightning.face_models.names import EMBEDDED
from mgc_lightning.files.places import as_paths
from mgc_lightning.networks.predictor import load_predictor, usable_device
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

SHEET = "sheet.png"


@dataclass(frozen=True)
class ScanReport:
    """Hold what a run found and wrote.

    Attributes:
        results: of each head.
        rows: of the table.
        files: scores.json, and a sheet a head.
    """

    results: list[HeadResult]
    rows: list[SummaryRow]
    files: list[Path]


def benchmark_scans(
    scans: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    points: str | Path | Sequence[str | Path] = (),
    method: MethodSource | None = None,
    settings: ScanBenchmarkSettings | None = None,
    device: str = "cpu",
    paint: Paint = paint_by_basis,
    on_step: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> ScanReport:
    """Photograph textured head scans, reconstruct them from the photographs, score by NoW, and write.

    Below `output`: `HEAD/photographs/` and `HEAD/own_colours/` with `truth.json`, `HEAD/sheet.png`, `scores.json`.
    Photographs that are there already, of the same scan and settings, are used again.

    Args:
        scans: a head a file.
        output: folder.
        points: a file for each scan, in order; if empty, they are looked for beside the scans.
        method: what is measured.
        settings: how.
        device: of network and detector.
        paint: gives the colours of the column `own`; the command takes `synthetic.paint_person`.
        on_step: called with a stage, what is done of it, and what there is to do.

    Raises:
        MGCError: if a scan, its points, the network or a prediction cannot be used.

    Example:
        >>> report = benchmark_scans("anna.obj", "scans/")  # doctest: +SKIP
        >>> mean = report.rows[0]  # doctest: +SKIP
        >>> mean.section, mean.name, sorted(mean.values)  # by how the crops were cut  # doctest: +SKIP
        ('NoW median, mm', 'mean face', ['box', 'exact', 'own'])
    """
    output = Path(output)
    settings = settings or ScanBenchmarkSettings()
    sources = _pair(as_paths(scans), as_paths(points))
    measured = load_method(method or MethodSource(), settings, device, paint)
    results, sheets = [], []
    for source in sources:
        result = run_head(source, output, measured, settings, on_step)
        results.append(result)
        sheets.append(write_sheet(result, measured.face_model, output / result.head.name / SHEET))
        result.release()
    rows = summarise(results, measured.face_model)
    return ScanReport(results, rows, [write_results(output, results, rows, settings), *sheets])


def _pair(scans: Sequence[Path], points: Sequence[Path]) -> list[HeadSource]:
    if points and len(points) != len(scans):
        raise MGCError(f"`points`: expected a file for each of {len(scans)} scans, in their order; got {len(points)}")
    names = [scan.stem for scan in scans]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MGCError(f"Two scans are called {twice}; their results would overwrite each other: rename one")
    return [HeadSource(scan, points[i] if points else None) for i, scan in enumerate(scans)]


def load_method(
    source: MethodSource, settings: ScanBenchmarkSettings, device: str = "cpu", paint: Paint = paint_by_basis
) -> Method:
    """Load network and detector.

    Raises:
        MGCError: if one of them cannot be used, or a detector has no network to cut crops for.
    """
    predictions = source.predictions
    if predictions is not None and not Path(predictions).is_dir():
        raise MGCError(f"`predictions` {predictions}: no such folder")
    if not source.network and source.checkpoint is not None:
        raise MGCError("Give either `checkpoint` or `network=False`, not both")
    if not source.network or (source.checkpoint is None and predictions is not None):
        given = next((name for name in ("detector", "landmarks") if getattr(settings, name) is not None), None)
        if given is not None:
            raise MGCError(f"`{given}` cuts crops for a network, and none is measured: give its `checkpoint` too")
        return Method(load_face_model(source.face_model or EMBEDDED), paint, None, predictions)
    place = usable_device(device)
    predictor = load_predictor(source.checkpoint, source.face_model, None, place, source.imports)
    detector = make_detector(settings.detector, device, settings.weights) if settings.detector else None
    return Method(predictor.face_model, paint, FaceReconstructor(predictor, detector, place), predictions)
