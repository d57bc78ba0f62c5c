"""Reconstruct a head from its photographs, one by one and several together, in each column; and score."""

from __future__ import annotations

from mgc_lightning.evaluation.scan.crops import Column, by_box, by_detector, by_files, by_points
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
from mgc_lightning.evaluation.scan.head_result import HeadResult, Progress, photographs_of
from mgc_lightning.evaluation.scan.score import middle_of_face, score_faces
from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings
from mgc_lightning.reconstruction.places import FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor


def reconstruct_head(
    result: HeadResult, reconstructor: FaceReconstructor, settings: ScanBenchmarkSettings, on_step: Progress
) -> None:
    """Reconstruct a head from its photographs in every column, one by one and several together, and score."""
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
