"""The run: photographs, fit, crops, reconstructions, scores, of each head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.evaluation.scan.head_result import HeadResult, Progress
from mgc_lightning.evaluation.scan.heads import ScanHead, read_head
from mgc_lightning.evaluation.scan.photo_set import OWN_COLOURS, PHOTOGRAPHS, take_photographs
from mgc_lightning.evaluation.scan.plan import plan_photographs
from mgc_lightning.evaluation.scan.predictions import score_predictions
from mgc_lightning.evaluation.scan.reconstructing import reconstruct_head
from mgc_lightning.evaluation.scan.references import reference_scores
from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.surfaces import painted_surface, scan_surface
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.scan_fit import fit_scan
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

Paint = Callable[[FaceModel, int], Float[Tensor, "N 3"]]
"""Gives the vertex colours (N, 3) of a person, display space, for a face model and a seed."""


@dataclass(frozen=True)
class HeadSource:
    """Name a scan and its points (looked for beside it if None)."""

    scan: str | Path
    points: str | Path | None = None


@dataclass(frozen=True)
class Method:
    """Say what is measured: a network, the meshes of another method, both or neither.

    Attributes:
        face_model: whose mean and limit are shown, and that is painted; the network's.
        reconstructor: of the network, with a detector where one is to cut crops.
        paint: gives the colours of our own.
        predictions: folder of meshes, `HEAD/photographs/NAME.obj` with seven landmarks in `NAME.npy`.
    """

    face_model: FaceModel
    paint: Paint
    reconstructor: FaceReconstructor | None = None
    predictions: str | Path | None = None


def run_head(
    source: HeadSource,
    output: str | Path,
    method: Method,
    settings: ScanBenchmarkSettings,
    on_step: Progress = lambda stage, done, total: None,
) -> HeadResult:
    """Take the photographs of a head, reconstruct it from them, and score.

    Args:
        source: scan and points.
        output: folder; the photographs go to a folder of the head's name.
        method: what is measured.
        settings: how.
        on_step: told of the progress.

    Raises:
        MGCError: if the scan cannot be used, or a prediction cannot be read.
    """
    output = Path(output)
    head = read_head(source.scan, source.points, settings.unit, votes=settings.votes, seed=settings.seed)
    result = _photographed(head, output / head.name, method, settings, on_step)
    result.scores += reference_scores(result, method.face_model)
    if method.reconstructor is not None:
        reconstruct_head(result, method.reconstructor, settings, on_step)
    if method.predictions is not None:
        score_predictions(result, Path(method.predictions), method.face_model)
    return result


def _photographed(
    head: ScanHead, folder: Path, method: Method, settings: ScanBenchmarkSettings, on_step: Progress
) -> HeadResult:
    model = method.face_model
    plans = plan_photographs(head.name, settings)
    total, done = 2 * len(plans), 0

    def tick() -> None:
        nonlocal done
        done += 1
        on_step(f"{head.name}: photographs", done, total)

    surface = scan_surface(head.mesh, head.T_head_scan)
    taken = take_photographs(surface, head.landmarks, head, plans, folder / PHOTOGRAPHS, settings, on_photograph=tick)
    fit = fit_scan(
        model,
        head.scan.points,
        head.landmarks,
        on_step=lambda step, steps: on_step(f"{head.name}: fit of the face model", step, steps),
    )
    colors = method.paint(model, settings.seed).cpu()
    verts = fit.to_scan(fit.verts.cpu())
    upright = verts @ head.T_head_scan[:3, :3].T + head.T_head_scan[:3, 3]
    shown = model.faces_without(*(name for name in ("teeth",) if name in model.region_names)).cpu()
    own = take_photographs(
        painted_surface(upright, shown, colors),
        fit.to_scan(model.landmarks68(fit.verts.to(model.mean.device)).cpu()),
        head,
        plans,
        folder / OWN_COLOURS,
        settings,
        {"face_model": {"name": model.name, "level": model.level, "fingerprint": model.fingerprint}},
        tick,
    )
    return HeadResult(head, fit, taken, own)
