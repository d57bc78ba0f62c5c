"""The rows of the table: scores of all heads by how the crop was cut, and by distance, yaw, light and background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mgc_lightning.evaluation.scan.benchmark import LIMIT, MEAN_FACE, HeadResult
from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.faces import ALONE, DIFFERENT_LIGHT, ONE_MOMENT
from mgc_lightning.evaluation.scan.plan import BACKGROUNDS, LIGHTS
from mgc_lightning.evaluation.scan.score import ScanScore, mean_median, mean_of
from mgc_lightning.evaluation.scan.spread import Spread, aligned_faces, spread
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.metrics.nme_by_yaw import BINS

NOW, NME, ROTATION, IDENTITY = "NoW median, mm", "NME of 51 points, %", "rotation, degrees", "identity, mm"
"""Sections of the table."""


@dataclass(frozen=True)
class SummaryRow:
    """Hold a row: its section, its name, a value a column (None where there is none), and the meshes it is over."""

    section: str
    name: str
    values: dict[str, float | None]
    count: int = 0


def summarise(results: Sequence[HeadResult], face_model: FaceModel) -> list[SummaryRow]:
    """Average over the heads; pooled distances within a head, as NoW pools them."""
    scores = [score for result in results for score in result.scores]
    columns = columns_of(results)
    return [
        *_now_rows(scores, columns),
        *_place_rows(scores, columns, NME, "nme"),
        *_place_rows(scores, columns, ROTATION, "rotation"),
        *_identity_rows(results, columns, face_model),
    ]


def columns_of(results: Sequence[HeadResult]) -> list[str]:
    """Give the columns in the order of the table; one without a name where only references were scored."""
    found = dict.fromkeys(column for result in results for column in result.faces)
    known = [column for column in TITLES if column in found]
    return [*known, *(column for column in found if column not in TITLES)] or [""]


Chosen = Callable[[ScanScore], bool]


def _parts(scores: Sequence[ScanScore]) -> list[tuple[str, Chosen]]:
    """Give the names of the parts of the photographs that are told apart, and what chooses them."""
    distances = sorted({score.distance for score in scores if score.distance is not None})
    parts: list[tuple[str, Chosen]] = [("all", lambda score: True)]
    parts += [(f"at {d / 1000:g} m", lambda score, d=d: score.distance == d) for d in distances]
    parts += [
        (f"yaw {low:.0f}-{high:.0f}", lambda score, a=low, b=high: a <= abs(score.yaw or 0.0) < b) for low, high in BINS
    ]
    parts += [(f"{light} light", lambda score, kind=light: score.light == kind) for light in LIGHTS]
    parts += [(f"{ground} background", lambda score, kind=ground: score.background == kind) for ground in BACKGROUNDS]
    return parts


def _now_rows(scores: Sequence[ScanScore], columns: Sequence[str]) -> list[SummaryRow]:
    rows = []
    for name in (MEAN_FACE, LIMIT):
        value = mean_median([score for score in scores if score.method == name])
        rows.append(SummaryRow(NOW, name, dict.fromkeys(columns, value)))
    alone = [score for score in scores if score.method == ALONE]
    chosen = [(f"one photograph, {name}", [s for s in alone if choose(s)]) for name, choose in _parts(alone)]
    chosen += [(_several(scores, m), [s for s in scores if s.method == m]) for m in (ONE_MOMENT, DIFFERENT_LIGHT)]
    for name, part in chosen:
        by_column = {column: [score for score in part if score.column == column] for column in columns}
        if any(by_column.values()):
            values = {column: mean_median(found) if found else None for column, found in by_column.items()}
            rows.append(SummaryRow(NOW, name, values, max(map(len, by_column.values()))))
    return rows


def _several(scores: Sequence[ScanScore], method: str) -> str:
    count = max((len(score.photographs) for score in scores if score.method == method), default=0)
    return f"{count} of one moment" if method == ONE_MOMENT else f"{count} in different light"


def _place_rows(scores: Sequence[ScanScore], columns: Sequence[str], section: str, value: str) -> list[SummaryRow]:
    alone = [score for score in scores if score.method == ALONE]
    chosen = [(f"one photograph, {name}", [s for s in alone if choose(s)]) for name, choose in _parts(alone)[:-4]]
    chosen += [(_several(scores, m), [s for s in scores if s.method == m]) for m in (ONE_MOMENT, DIFFERENT_LIGHT)]
    rows = []
    for name, part in chosen:
        by_column = {column: [score for score in part if score.column == column] for column in columns}
        values = {column: mean_of(found, value) for column, found in by_column.items()}
        if any(number is not None for number in values.values()):
            rows.append(SummaryRow(section, name, values, max(map(len, by_column.values()))))
    return rows


def _identity_rows(results: Sequence[HeadResult], columns: Sequence[str], model: FaceModel) -> list[SummaryRow]:
    spreads = {column: identity_spread(results, column, model) for column in columns}
    rows = []
    for name, value in (
        ("of one person's photographs", lambda s: s.within),
        ("between persons", lambda s: s.between),
        ("one person's over persons'", lambda s: s.ratio),
    ):
        values = {column: None if found is None else value(found) for column, found in spreads.items()}
        if any(number is not None for number in values.values()):
            rows.append(SummaryRow(IDENTITY, name, values))
    return rows


def identity_spread(results: Sequence[HeadResult], column: str, model: FaceModel) -> Spread | None:
    """Measure how neutral faces from single photographs differ, over the vertices of the face mask, mm.

    None where a head has fewer than two faces, or the meshes are not of the face model.
    """
    mask = model.face_mask.cpu()
    people: dict[str, Tensor] = {}
    for result in results:
        verts = [face.verts for face in result.faces.get(column, []) if face is not None]
        if len(verts) < 2 or any(points.shape != model.mean.shape for points in verts):
            return None
        people[result.head.name] = aligned_faces(verts, model.mean.cpu(), mask)
    return spread(people, int(mask.sum())) if people else None


def coefficient_spread(results: Sequence[HeadResult], column: str) -> Spread | None:
    """Measure how identity coefficients from single photographs differ, standard deviations."""
    people = {}
    for result in results:
        rows = [
            face.identity for face in result.faces.get(column, []) if face is not None and face.identity is not None
        ]
        if len(rows) < 2:
            return None
        people[result.head.name] = torch.stack(rows).double()
    return spread(people, len(next(iter(people.values()))[0])) if people else None
