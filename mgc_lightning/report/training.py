"""The section of a training run: scores beside the mean face, curves, contact sheets, faces, config and command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.files.text import read_text
from mgc_lightning.metrics.reconstruction import BASELINE
from mgc_lightning.report.chart import Series, charts, line_chart, short_number
from mgc_lightning.report.faces import mesh_figure, picture_figure
from mgc_lightning.report.history import History, read_history, wandb_files
from mgc_lightning.report.markup import Html, folded, join, table, tag
from mgc_lightning.report.unseen import unseen_faces

SCORES = {
    "val/nme": ("landmarks, NME", "%"),
    "val/rotation": ("rotation", "degrees"),
    "val/posed": ("posed 3D error", "mm"),
    "val/neutral": ("neutral 3D error", "mm"),
    "now/median": ("NoW, median", "mm"),
    "now/mean": ("NoW, mean", "mm"),
    "realy/all": ("REALY, all", "mm"),
}
"""Scores of a run by what they are logged as; smaller is better."""
MOST_CONFIG = 2**20
"""Bytes of a config that is shown."""
CONFIG = "config.yaml"


def is_training(folder: Path) -> bool:
    """Tell whether a folder is a run's: of the run folder of `lightning fit`, of CSVLogger, or W&B's."""
    config = (folder / CONFIG).is_file() and ((folder / "checkpoints").is_dir() or (folder / "export").is_dir())
    return config or (folder / "metrics.csv").is_file() or bool(list(folder.glob("run-*.wandb")))


def training_section(folder: Path, faces: int) -> Html:
    """Tell of one run.

    Args:
        folder: of the run.
        faces: unseen synthetic faces that are shown as the run's export sees them.

    Raises:
        MGCError: if what it logged cannot be read.
    """
    history = read_history(folder)
    if not history.metrics and not (folder / CONFIG).is_file():
        raise MGCError(f"{folder}: nothing was logged there, and it has no {CONFIG}")
    last = max((float(series.steps.max()) for series in history.metrics.values()), default=None)
    facts = dict(history.facts)
    if last is not None:
        facts["last logged step"] = short_number(last)
    parts = [
        tag("h2", f"Training: {folder.resolve().name}"),
        tag("p", *(tag("span", f"{name} {value}") for name, value in facts.items()), class_="facts"),
        _scores(history),
        _curves(history),
        _sheets(folder, history),
        _turning(folder, history, faces),
        _config(folder, history),
    ]
    if not history.metrics:
        where = "metrics.csv of CSVLogger, or W&B's folder of the run in `wandb/` beside it or above"
        parts.insert(2, tag("p", f"No curves: nothing logged was found ({where}).", class_="note"))
    return join(parts)


def _scores(history: History) -> Html:
    rows = []
    for name, (label, unit) in SCORES.items():
        series = _kept(history, name)
        if series is None:
            continue
        baseline = _kept(history, f"{name}_{BASELINE}")
        best, end = float(series.values.min()), float(series.values[-1])
        mean = None if baseline is None else float(baseline.values[-1])
        at = short_number(float(series.steps[series.values.argmin()]))
        ratio = "" if mean is None else f"{end / mean:.3f}" if mean else "-"
        first = float(series.values[0])
        shown = "-" if mean is None else f"{mean:.2f}"
        rows.append([f"{label}, {unit}", f"{first:.2f}", f"{best:.2f}", at, f"{end:.2f}", shown, ratio])
    if not rows:
        return Html("")
    head = ["unseen faces", "first", "best", "at step", "last", "mean face", "last / mean face"]
    note = "Smaller is better. Mean face: NME at the true pose; rotation of the main pose; distances of the mean shape."
    return join([table(head, rows), tag("p", note, class_="note")])


def _kept(history: History, name: str) -> Series | None:
    series = history.metrics.get(name)
    if series is None:
        return None
    keep = np.isfinite(series.values)
    return Series(series.steps[keep], series.values[keep]) if keep.any() else None


def _curves(history: History) -> Html:
    metrics = dict(history.metrics)
    baselines = {name: metrics.pop(name) for name in list(metrics) if name.endswith(f"_{BASELINE}")}
    scores = []
    for name, (label, unit) in SCORES.items():
        if (series := metrics.pop(name, None)) is None:
            continue
        level = baselines.get(f"{name}_{BASELINE}")
        flat = {} if level is None else {"mean face": float(level.values[-1])}
        scores.append(line_chart(label, {"": series} if not flat else {"network": series}, flat, unit=unit))
    terms = _terms(metrics)
    losses = [line_chart(name, curves) for name, curves in terms.items()]
    rest = [line_chart(name, {"": series}) for name, series in sorted(metrics.items())]
    parts: list[Html] = []
    for title, drawn in (("Scores", scores), ("Losses", losses)):
        if any(drawn):
            parts += [tag("h3", title), charts(drawn, title == "Scores")]
    if any(rest):
        parts.append(folded(f"{len(rest)} other curves", charts(rest)))
    return join(parts)


def _terms(metrics: dict[str, Series]) -> dict[str, dict[str, Series]]:
    """Take the losses out: of training and validation under one name, the total first."""
    names = {name.removeprefix("train/").removesuffix("_step") for name in metrics if name.startswith("train/")}
    unvalidated = not any(name.startswith("val/") for name in metrics)
    found = {}
    for name in sorted(names, key=lambda each: (each != "loss", each)):
        training = metrics.get(f"train/{name}", metrics.get(f"train/{name}_step"))
        if training is None or not (name == "loss" or f"val/{name}" in metrics or unvalidated):
            continue
        curves = {"training": training}
        for each in (f"train/{name}", f"train/{name}_step"):
            metrics.pop(each, None)
        if (validation := metrics.pop(f"val/{name}", None)) is not None:
            curves["validation"] = validation
        found[name] = curves
    return found


def _sheets(folder: Path, history: History) -> Html:
    parts: list[Html] = []
    sheet = folder / "contact_sheet.png"
    if sheet.is_file():
        parts.append(picture_figure(sheet, "Unseen faces at the last validation"))
    earlier: list[Html] = []
    for name, files in history.pictures.items():
        shown = [f for f in files if not (sheet.is_file() and f == files[-1] and name.endswith("contact_sheet"))]
        chosen = shown if len(shown) <= 6 else [shown[i] for i in np.linspace(0, len(shown) - 1, 6).astype(int)]
        earlier += [picture_figure(path, f"{name}, step {step}", 1000) for step, path in chosen]
    if earlier:
        parts.append(folded(f"{len(earlier)} pictures of the way there", tag("div", *earlier, class_="grid")))
    return join([tag("h3", "Pictures"), *parts]) if parts else Html("")


def _turning(folder: Path, history: History, faces: int) -> Html:
    files = list(dict.fromkeys([*sorted(folder.glob("*.glb")), *history.meshes[-6:]]))[:6]
    figures = [mesh_figure(file, file.stem) for file in files]
    export = folder / "export"
    if faces and (export / "network.safetensors").is_file():
        figures += unseen_faces(export, faces)
    if not figures:
        return Html("")
    note = "Drag to turn, wheel to zoom, double click to begin again."
    return join([tag("h3", "Faces"), tag("p", note, class_="note"), tag("div", *figures, class_="grid")])


def _config(folder: Path, history: History) -> Html:
    parts: list[Html] = []
    if history.command:
        parts += [tag("h3", "Command"), tag("pre", history.command, class_="command")]
    places: Sequence[Path] = [folder / CONFIG, *(file.parent / "files" / CONFIG for file in wandb_files(folder))]
    config = next((path for path in places if path.is_file()), None)
    if config is not None:
        try:
            text: object = tag("pre", read_text(config, others="replace", most=MOST_CONFIG))
        except MGCError as error:
            text = tag("p", error)
        parts.append(folded(f"Config: {config.name}", text))
    return join(parts)
