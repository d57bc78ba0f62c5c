"""Sections of results: of NoW, REALY, scans of one's own, and comparisons."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_json, read_text
from mgc_lightning.report.chart import Series, charts, line_chart
from mgc_lightning.report.faces import meshes_figure, picture_figure
from mgc_lightning.report.markup import Html, escape, folded, join, table, tag

MOST_FACES = 6
"""Error maps that are shown of a method."""
MOST_ROWS = 400
"""Of a table of images."""
Results = dict[str, Any]


def kind_of(content: object) -> str | None:
    """Tell what results a JSON file holds: now, realy, scan, compare; None for anything else.

    Example:
        >>> kind_of({"median": 1.3, "distances": 10, "images": []}), kind_of([1, 2])
        ('now', None)
    """
    if not isinstance(content, dict):
        return None
    keys = content.keys()
    if {"headline", "methods", "benchmark"} <= keys:
        return "compare"
    if {"summary", "heads"} <= keys:
        return "scan"
    if {"regions", "images"} <= keys:
        return "realy"
    return "now" if {"median", "distances", "images"} <= keys else None


def read_results(path: Path) -> tuple[str, Results] | None:
    """Read a JSON file of results; None if it is none."""
    content = read_json(path)
    kind = kind_of(content)
    return None if kind is None else (kind, content)


def scores_sections(found: list[tuple[str, Path, Results]]) -> list[Html]:
    """Give a section a benchmark, methods side by side.

    Args:
        found: kind, file and content of each result.

    Raises:
        MGCError: if a result is not as its kind is.
    """
    sections = []
    for kind, draw in (("compare", _compare), ("now", _now), ("realy", _realy), ("scan", _scan)):
        files = {path: content for each, path, content in found if each == kind}
        if files:
            with reading(next(iter(files)), f"is not as `mgc benchmark {kind}` writes it"):
                sections.append(draw(files))
    return sections


def _number(value: object, digits: int = 3) -> str:
    return "-" if value is None else f"{float(value):.{digits}f}"  # type: ignore[arg-type]


def _name(path: Path) -> str:
    return path.stem


def _now(files: dict[Path, Results]) -> Html:
    rows = []
    for path, result in files.items():
        numbers = [_number(result[key]) for key in ("median", "mean", "std")]
        rows.append([_name(path), *numbers, result["predictions"], len(result["missing"]) or ""])
    curves = {_name(path): curve for path in files if (curve := _cumulative(path)) is not None}
    order = ("median", "mean", "std")
    return join(
        [
            tag("h2", "NoW: distance of scans from neutral faces"),
            table(["mm", *order, "images", "missing"], rows),
            _mean_face_note(files, "mgc synthesize now"),
            charts([line_chart("share of points within a distance", curves, x="mm", unit="%", exact=True)])
            if curves
            else "",
            *(_images(path, result, list(order)) for path, result in files.items()),
        ]
    )


def _cumulative(path: Path) -> Series | None:
    file = path.with_suffix("") / "cumulative_error.csv"
    if not file.is_file():
        return None
    rows = list(csv.DictReader(io.StringIO(read_text(file))))
    pairs = np.array([[float(row["distance_mm"]), float(row["percent"])] for row in rows]).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] <= 7.0]
    return Series(pairs[:, 0], pairs[:, 1])


def _realy(files: dict[Path, Results]) -> Html:
    regions = list(next(iter(files.values()))["regions"])
    rows = []
    for path, result in files.items():
        numbers = [_number(result["regions"][region]["mean"]) for region in regions]
        rows.append(
            [_name(path), *numbers, _number(result["all"]), result["predictions"], len(result["missing"]) or ""]
        )
    parts = [
        tag("h2", "REALY: distance of scans' regions from faces"),
        table(["mean, mm", *regions, "all", "images", "missing"], rows),
        _mean_face_note(files, "mgc synthesize realy"),
    ]
    for path, result in files.items():
        parts += [_error_maps(path, result, regions), _images(path, result, regions)]
    return join(parts)


def _error_maps(path: Path, result: Results, regions: list[str]) -> Html:
    """Turn the scans' regions, coloured by error, of the best, the worst and those between."""
    root = path.with_suffix("") / "error_maps"
    names = {folder.name: folder for folder in sorted(root.glob("*")) if folder.is_dir()}
    scored = [(np.mean([image[region] for region in regions]), str(image["name"])) for image in result["images"]]
    ranked = sorted(pair for pair in scored if pair[1] in names)
    if not ranked:
        return Html("")
    chosen = (
        ranked if len(ranked) <= MOST_FACES else [ranked[i] for i in np.linspace(0, len(ranked) - 1, 6).astype(int)]
    )
    figures = [
        meshes_figure(sorted(names[name].glob("*.ply")), f"{name}: {error:.2f} mm", 260) for error, name in chosen
    ]
    title = f"Error maps of {_name(path)}, the best to the worst"
    note = "Scans' regions; from blue, which is near, to red. Drag to turn, wheel to zoom, double click to begin again."
    return join([tag("h3", title), tag("p", note, class_="note"), tag("div", *figures, class_="grid")])


def _images(path: Path, result: Results, columns: list[str]) -> Html:
    images = sorted(result["images"], key=lambda image: -float(image[columns[0]]))
    rows = [[image["name"], *(_number(image[column]) for column in columns)] for image in images[:MOST_ROWS]]
    missing = [[name, *["missing"] * len(columns)] for name in result["missing"][:MOST_ROWS]]
    left = f", the worst {MOST_ROWS} of them" if len(images) > MOST_ROWS else ", the worst first"
    return folded(f"{_name(path)}: {len(images)} images{left}", table(["image", *columns], rows + missing))


def _mean_face_note(files: dict[Path, Results], maker: str) -> Html:
    if any("mean_face" in path.stem for path in files):
        return Html("")
    text = (
        "There is no mean face among these results: score one of the same images too (sets of ",
        tag("code", maker),
        " bring `predictions/mean_face`), and put its JSON file beside.",
    )
    return tag("p", *text, class_="note")


def _scan(files: dict[Path, Results]) -> Html:
    parts: list[object] = []
    for path, result in files.items():
        columns = list(result["summary"][0]["values"]) if result["summary"] else []
        parts.append(tag("h2", f"Scans of one's own: {path.resolve().parent.name}"))
        section, rows = "", []
        for row in result["summary"]:
            if row["section"] != section:
                section = row["section"]
                rows.append([tag("b", section), *[""] * (len(columns) + 1)])
            numbers = [_number(row["values"][column], 2) for column in columns]
            rows.append([row["row"], *numbers, row["faces"] or ""])
        parts.append(table(["", *columns, "faces"], rows))
        sheets = [
            picture_figure(sheet, head["name"])
            for head in result["heads"][:MOST_FACES]
            if (sheet := _inside(path.parent, head["name"], "sheet.png")) is not None
        ]
        parts.append(tag("div", *sheets, class_="grid") if len(sheets) > 1 else join(sheets))
    return join(parts)


def _inside(folder: Path, *names: str) -> Path | None:
    file = folder.joinpath(*names)
    return file if file.is_file() and file.resolve().is_relative_to(folder.resolve()) else None


def _compare(files: dict[Path, Results]) -> Html:
    parts: list[object] = []
    for path, result in files.items():
        scores = list(result["methods"][0]["scores"])
        rows = []
        for method in result["methods"]:
            share = "" if method["better_on"] is None else f"{100 * method['better_on']:.0f} %"
            difference = "" if method["difference"] is None else _interval(method["difference"], "+")
            numbers = [_interval(method["scores"][name]) for name in scores]
            rows.append([method["name"], *numbers, difference, share, method["verdict"]])
        title = {"now": "NoW", "realy": "REALY"}.get(result["benchmark"], str(result["benchmark"]))
        note = f"mm; in brackets {result['interval']}; differences are negative where a method is better."
        parts += [
            tag("h2", f"{title} compared: {result['images']} images of {result['people']} people"),
            table(["method", *scores, f"difference to {result['reference']}", "better on", ""], rows),
            tag("p", note, class_="note"),
        ]
        if (curves := _inside(path.parent, "curves.png")) is not None:
            parts.append(picture_figure(curves, "Share of points within a distance", 640))
    return join(parts)


def _interval(estimate: Results, sign: str = "") -> Html:
    low, high = (f"{float(estimate[end]):{sign}.3f}" for end in ("low", "high"))
    return escape(f"{float(estimate['value']):{sign}.3f} [{low}, {high}]")
