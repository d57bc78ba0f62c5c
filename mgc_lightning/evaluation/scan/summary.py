"""The rows of the table: scores of all heads by how the crop was cut, and by distance, yaw, light and background."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.faces import ALONE, DIFFERENT_LIGHT, ONE_MOMENT, REFINED
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.plan import BACKGROUNDS, LIGHTS
from mgc_lightning.evaluation.scan.references import LIMIT, MEAN_FACE
from mgc_lightning.evaluation.scan.score import ScanScore, mean_median, mean_of
from mgc_lightning.evaluation.scan.spread import Spread, aligned_faces, spread
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.metrics.nme_by_yaw import BINS

NOW, NME, ROTATION, IDENTITY = "NoW median, mm", "NME of 51 points, %", "rotation, degrees", "identity, mm"
"""Sections of the table."""


@dataclass(frozen=True)
class SummaryRow:
    """Hold a row: its section, its name, a value a column (None where there is none), and the meshes it is over.

    Example:
        >>> row = SummaryRow(NOW, "mean face", {"detector": 1.92, "box": 1.92}, count=2)
        >>> row.section, row.values["box"]
        ('NoW median, mm', 1.92)
    """

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
        *_rows(scores, columns, NME, lambda part: mean_of(part, "nme")),
        *_rows(scores, columns, ROTATION, lambda part: mean_of(part, "rotation")),
        *_identity_rows(results, columns, face_model),
    ]


def columns_of(results: Sequence[HeadResult]) -> list[str]:
    """Give the columns in the order of the table; one without a name where only references were scored."""
    found = dict.fromkeys(column for result in results for column in result.faces)
    known = [column for column in TITLES if column in found]
    return [*known, *(column for column in found if column not in TITLES)] or [""]


def _parts(scores: Sequence[ScanScore]) -> Iterator[tuple[str, list[ScanScore]]]:
    """Give the parts of the meshes that are told apart, by name."""
    alone = [score for score in scores if score.method == ALONE]
    distances = sorted({score.distance for score in scores if score.distance is not None})
    yield "one photograph, all", alone
    for distance in distances:
        yield f"one photograph, at {distance / 1000:g} m", [s for s in alone if s.distance == distance]
    yield from _by_yaw("one photograph", alone)
    for light in LIGHTS:
        yield f"one photograph, {light} light", [s for s in alone if s.light == light]
    for ground in BACKGROUNDS:
        yield f"one photograph, {ground} background", [s for s in alone if s.background == ground]
    refined = [score for score in scores if score.method == REFINED]
    yield "one photograph, refined", refined
    yield from _by_yaw("one photograph, refined", refined)
    moment = [score for score in scores if score.method == ONE_MOMENT]
    yield f"{_photographs(moment)} of one moment", moment
    for distance in distances:
        yield (
            f"{_photographs(moment)} of one moment, at {distance / 1000:g} m",
            [score for score in moment if score.distance == distance],
        )
    different = [score for score in scores if score.method == DIFFERENT_LIGHT]
    yield f"{_photographs(different)} in different light", different


def _by_yaw(name: str, scores: list[ScanScore]) -> Iterator[tuple[str, list[ScanScore]]]:
    for low, high in BINS:
        # A yaw on an edge belongs to the lower bin.
        inside = [s for s in scores if s.yaw is not None and (low == 0 or abs(s.yaw) > low) and abs(s.yaw) <= high]
        yield f"{name}, yaw {low:.0f}-{high:.0f}", inside


def _photographs(scores: Sequence[ScanScore]) -> int:
    return max((len(score.photographs) for score in scores), default=0)


def _rows(
    scores: Sequence[ScanScore], columns: Sequence[str], section: str, value: Callable[[list[ScanScore]], float | None]
) -> list[SummaryRow]:
    rows = []
    for name, part in _parts(scores):
        by_column = {column: [score for score in part if score.column == column] for column in columns}
        values = {column: value(found) for column, found in by_column.items()}
        if any(number is not None for number in values.values()):
            rows.append(SummaryRow(section, name, values, max(map(len, by_column.values()))))
    return rows


def _now_rows(scores: Sequence[ScanScore], columns: Sequence[str]) -> list[SummaryRow]:
    rows = []
    for name in (MEAN_FACE, LIMIT):
        value = mean_median([score for score in scores if score.method == name])
        rows.append(SummaryRow(NOW, name, dict.fromkeys(columns, value)))
    return rows + _rows(scores, columns, NOW, mean_median) + _head_rows(scores, columns)


def _head_rows(scores: Sequence[ScanScore], columns: Sequence[str]) -> list[SummaryRow]:
    """Tell heads apart, where there are several, each beside its mean face."""
    heads = list(dict.fromkeys(score.head for score in scores))
    rows = []
    for head in heads if len(heads) > 1 else ():
        own = [score for score in scores if score.head == head]
        mean = mean_median([score for score in own if score.method == MEAN_FACE])
        alone = {column: [s for s in own if s.method == ALONE and s.column == column] for column in columns}
        if any(alone.values()):
            values = {column: mean_median(found) for column, found in alone.items()}
            name = f"one photograph, {head} (mean face {mean:.2f})"
            rows.append(SummaryRow(NOW, name, values, max(map(len, alone.values()))))
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
