"""The run: photographs, fit, crops, reconstructions, scores, of each head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.predictions import MESHES, read_landmarks
from mgc_lightning.evaluation.scan.crops import TITLES, Column, by_box, by_detector, by_files, by_points
from mgc_lightning.evaluation.scan.faces import (
    ALONE,
    DIFFERENT_LIGHT,
    ONE_MOMENT,
    REFINED,
    PredictedFace,
    different_light_groups,
    one_moment_groups,
    reconstruct_alone,
    reconstruct_group,
    refine_alone,
)
from mgc_lightning.evaluation.scan.heads import ScanHead, read_head
from mgc_lightning.evaluation.scan.photo_set import OWN_COLOURS, PHOTOGRAPHS, TakenPhotograph, take_photographs
from mgc_lightning.evaluation.scan.plan import plan_photographs
from mgc_lightning.evaluation.scan.score import ScanScore, middle_of_face, score_faces, score_mesh
from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.surfaces import painted_surface, scan_surface
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.fitting.scan_fit import ScanFit, fit_scan
from mgc_lightning.metrics.now.aggregate import pool
from mgc_lightning.reconstruction.places import FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

Paint = Callable[[FaceModel, int], Float[Tensor, "N 3"]]
"""Gives the vertex colours (N, 3) of a person, display space, for a face model and a seed."""
MEAN_FACE, LIMIT = "mean face", "limit"
Progress = Callable[[str, int, int], None]
"""Called with a stage, what is done and what there is."""


@dataclass(frozen=True)
class HeadSource:
    """Name a scan and its points (looked for beside it if None)."""

    scan: str | Path
    points: str | Path | None = None


@dataclass
class HeadResult:
    """Hold what became of one head.

    Attributes:
        head: the scan.
        fit: the face model on it, neutral: the limit.
        photographs: of the scan.
        own: of the fitted face model in painted colours.
        scores: of every mesh.
        faces: column -> the predicted face of each photograph alone, None where no face was found.
        groups: (column, method, places) -> faces, from several photographs.
    """

    head: ScanHead
    fit: ScanFit
    photographs: list[TakenPhotograph]
    own: list[TakenPhotograph]
    scores: list[ScanScore] = field(default_factory=list)
    faces: dict[str, list[PredictedFace | None]] = field(default_factory=dict)
    groups: dict[tuple[str, str, tuple[int, ...]], list[PredictedFace]] = field(default_factory=dict)

    def release(self) -> None:
        """Let go of what only pictures need: images, reconstructions, texture; heads add up."""
        self.head = replace(self.head, mesh=replace(self.head.mesh, texture=None, uv=None, colors=None))
        for column, faces in self.faces.items():
            self.faces[column] = [face and replace(face, reconstruction=None) for face in faces]
        for key, group in self.groups.items():
            self.groups[key] = [replace(face, reconstruction=None) for face in group]


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
    result.scores += _references(result, method.face_model)
    if method.reconstructor is not None:
        _reconstruct(result, method.reconstructor, settings, on_step)
    if method.predictions is not None:
        _read_predictions(result, Path(method.predictions), method.face_model)
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


def _references(result: HeadResult, model: FaceModel) -> list[ScanScore]:
    """Score the mean face, and the best that the face model can do."""
    scores = []
    for name, face in ((MEAN_FACE, mean_face(model)), (LIMIT, limit_face(result.fit, model))):
        distances = score_mesh(result.head, face).distances
        scores.append(ScanScore(result.head.name, "", name, (), pool(distances), distances))
    return scores


def paint_by_basis(face_model: FaceModel, seed: int) -> Float[Tensor, "N 3"]:
    """Draw colours from the face model's own albedo basis.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> colors = paint_by_basis(model, seed=1)
        >>> colors.shape, torch.equal(colors, paint_by_basis(model, seed=1))
        (torch.Size([4032, 3]), True)
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(face_model.layout.albedo, generator=generator).clamp(-3, 3)
    return face_model.texture(numbers.to(face_model.mean))


def mean_face(model: FaceModel) -> PredictedFace:
    """Give the mean face as a prediction.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> face = mean_face(load_face_model())
        >>> face.verts.shape, face.landmarks7.shape, face.identity  # a mesh, as any method's: it has no coefficients
        (torch.Size([4032, 3]), torch.Size([7, 3]), None)
    """
    colors = model.albedo_mean.cpu()
    return PredictedFace(model.mean.cpu(), model.faces.cpu(), model.landmarks7(model.mean).cpu(), colors)


def limit_face(fit: ScanFit, model: FaceModel) -> PredictedFace:
    """Give the fitted face model as a prediction."""
    verts = model.shape(fit.identity.to(model.mean))
    colors = model.albedo_mean.cpu()
    return PredictedFace(verts.cpu(), model.faces.cpu(), model.landmarks7(verts).cpu(), colors)


def _reconstruct(
    result: HeadResult, reconstructor: FaceReconstructor, settings: ScanBenchmarkSettings, on_step: Progress
) -> None:
    model = reconstructor.face_model
    centre = middle_of_face(model.landmarks7(model.mean)).cpu()
    columns = _columns(reconstructor, settings)
    places: dict[Column, list[FacePlace | None]] = {}
    for number, column in enumerate(columns, start=1):
        places[column] = _places(result, column, reconstructor, settings)
        photographs = photographs_of(result, column)
        found = [i for i, place in enumerate(places[column]) if place is not None]
        faces = reconstruct_alone(
            reconstructor, [photographs[i] for i in found], [p for p in places[column] if p is not None]
        )
        by_place: list[PredictedFace | None] = [None] * len(photographs)
        for i, face in zip(found, faces, strict=True):
            by_place[i] = face
            result.scores.append(score_faces(result.head, result.fit, centre, column, ALONE, [photographs[i]], [face]))
        known = {i: face for i, face in zip(found, faces, strict=True) if _has_landmarks(face)}
        for i, face in zip(known, refine_alone(reconstructor, list(known.values())), strict=True):
            result.scores.append(
                score_faces(result.head, result.fit, centre, column, REFINED, [photographs[i]], [face])
            )
        result.faces[column] = by_place
        on_step(f"{result.head.name}: one photograph", number, len(columns))
    if settings.several:
        _refine(result, reconstructor, places, settings, on_step)


def _has_landmarks(face: PredictedFace) -> bool:
    return face.reconstruction is not None and face.reconstruction.detected is not None


def _columns(reconstructor: FaceReconstructor, settings: ScanBenchmarkSettings) -> list[Column]:
    detected = reconstructor.detector is not None or settings.landmarks is not None
    return [*(["detector"] if detected else []), "box", "exact", "own"]  # type: ignore[list-item]


def photographs_of(result: HeadResult, column: str) -> list[TakenPhotograph]:
    """Give the photographs of a column."""
    return result.own if column == "own" else result.photographs


def _places(
    result: HeadResult, column: Column, reconstructor: FaceReconstructor, settings: ScanBenchmarkSettings
) -> list[FacePlace | None]:
    photographs = photographs_of(result, column)
    if column == "detector" and settings.landmarks is not None:
        return [by_files(reconstructor, photograph, settings.landmarks) for photograph in photographs]
    if column == "detector":
        return [by_detector(reconstructor, photograph) for photograph in photographs]
    if column == "box":
        face = result.fit.to_scan(result.fit.verts[reconstructor.face_model.face_mask.cpu()])
        return [by_box(reconstructor, photograph, face, settings.box_looseness) for photograph in photographs]
    return [by_points(reconstructor, photograph, photograph.points) for photograph in photographs]


def _refine(
    result: HeadResult,
    reconstructor: FaceReconstructor,
    places: dict[Column, list[FacePlace | None]],
    settings: ScanBenchmarkSettings,
    on_step: Progress,
) -> None:
    """Reconstruct from several photographs, with the landmarks of the column: a detector's or the exact ones."""
    model = reconstructor.face_model
    centre = middle_of_face(model.landmarks7(model.mean)).cpu()
    work = []
    for column, found in places.items():
        known = {i for i, place in enumerate(found) if place is not None and place.landmarks is not None}
        photographs = photographs_of(result, column)
        groups = [(ONE_MOMENT, group) for group in one_moment_groups(photographs)]
        groups += [(DIFFERENT_LIGHT, group) for group in different_light_groups(photographs)]
        work += [
            (column, method, usable)
            for method, group in groups
            if len(usable := [i for i in group if i in known]) >= min(len(group), 3)
        ]
    for number, (column, method, group) in enumerate(work, start=1):
        photographs = [photographs_of(result, column)[i] for i in group]
        chosen = [place for i in group if (place := places[column][i]) is not None]
        faces = reconstruct_group(reconstructor, photographs, chosen, method == ONE_MOMENT, settings.steps)
        result.groups[column, method, tuple(group)] = faces
        result.scores.append(score_faces(result.head, result.fit, centre, column, method, photographs, faces))
        on_step(f"{result.head.name}: several photographs", number, len(work))


def _read_predictions(result: HeadResult, folder: Path, model: FaceModel) -> None:
    centre = middle_of_face(model.landmarks7(model.mean)).cpu()
    title = folder.name if folder.name not in TITLES else f"predictions/{folder.name}"
    found = 0
    for kind, column, photographs in (
        (PHOTOGRAPHS, title, result.photographs),
        (OWN_COLOURS, f"{title}, {TITLES['own']}", result.own),
    ):
        faces = [read_predicted(folder / result.head.name / kind, p.plan.name) for p in photographs]
        if not any(face is not None for face in faces):
            continue
        result.faces[column] = faces
        for photograph, face in zip(photographs, faces, strict=True):
            if face is not None:
                found += 1
                result.scores.append(score_faces(result.head, result.fit, centre, column, ALONE, [photograph], [face]))
    if not found:
        example = folder / result.head.name / PHOTOGRAPHS / f"{result.photographs[0].plan.name}.obj"
        raise MGCError(f"{folder}: no mesh of {result.head.name}; expected {example} (or .ply) and the like")


def read_predicted(folder: Path, name: str) -> PredictedFace | None:
    """Read the mesh of a photograph (.obj or .ply) with its seven landmarks (.npy or .txt); None if it is not there.

    Raises:
        MGCError: if it cannot be read, or the landmarks are missing.
    """
    mesh = next((path for suffix in MESHES if (path := folder / f"{name}{suffix}").is_file()), None)
    if mesh is None:
        return None
    marks = next((path for suffix in (".npy", ".txt") if (path := folder / f"{name}{suffix}").is_file()), None)
    landmarks = read_landmarks(marks or folder / f"{name}.npy")
    read = read_mesh(mesh)
    return PredictedFace(
        torch.from_numpy(read.verts),
        torch.from_numpy(read.faces),
        torch.from_numpy(landmarks.astype(np.float64)),
        None if read.colors is None else torch.from_numpy(read.colors).float(),
    )
