"""What a training logged: `metrics.csv` of CSVLogger, or the file of a W&B run, offline or not."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import shlex
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.files.text import read_text
from mgc_lightning.files.wandb_file import read_wandb_file
from mgc_lightning.report.chart import Series

STEP = "trainer/global_step"
"""What Lightning's loggers name the step."""
_NOT_METRICS = ("_runtime", "_step", "_timestamp", "epoch", STEP, "step")


@dataclass
class History:
    """Hold what a training logged.

    Attributes:
        metrics: by name.
        facts: what else is known, in words: when it began, how long it took, where.
        command: what was typed, where that is known.
        pictures: files of pictures by name, each with its step, the last one last.
        meshes: GLB files that were logged.
    """

    metrics: dict[str, Series] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    command: str = ""
    pictures: dict[str, list[tuple[int, Path]]] = field(default_factory=dict)
    meshes: list[Path] = field(default_factory=list)


def read_history(folder: str | Path) -> History:
    """Read what a run's folder, or W&B's folder of it, tells of the training.

    A run `ROOT/PROJECT/ID` of WandbLogger has its file in `ROOT/wandb/*run-*-ID`.

    Args:
        folder: of a run.

    Raises:
        MGCError: if a file of it cannot be read.
    """
    folder = Path(folder)
    history = History()
    for file in sorted(folder.glob("metrics.csv")):
        _read_csv(file, history)
    for file in wandb_files(folder):
        _read_wandb(file, history)
    return history


def wandb_files(folder: Path) -> list[Path]:
    """Find the files of a run of W&B, in its own folder or beside the run's; a resumed run has several."""
    found = sorted(folder.glob("run-*.wandb"))
    if not found:
        name = folder.resolve().name
        places = [folder, *folder.resolve().parents[:3]]
        # Equality, not a pattern: the name may hold what patterns read.
        runs = [run for place in places for run in sorted(place.glob("wandb/*run-*")) if run.name.endswith(f"-{name}")]
        found = [file for run in dict.fromkeys(runs) for file in sorted(run.glob("run-*.wandb"))]
    return found


def _read_csv(file: Path, history: History) -> None:
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    reader = csv.DictReader(io.StringIO(read_text(file, others="replace")))
    if "step" not in (reader.fieldnames or []):
        raise MGCError(f"{file}: expected a CSV with a column `step`, got {reader.fieldnames}")
    for row in reader:
        step = _number(row.get("step"))
        for name, text in row.items():
            value = _number(text)
            if name and name not in _NOT_METRICS and step is not None and value is not None:
                rows[name].append((step, value))
    _add(history, rows)


def _read_wandb(file: Path, history: History) -> None:
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds = 0.0
    for record in read_wandb_file(file):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            step = _number(items.get(STEP)) or 0.0
            seconds = max(seconds, _number(items.get("_runtime")) or 0.0)
            for name, text in items.items():
                value = _number(text)
                if value is not None and name not in _NOT_METRICS:
                    rows[name].append((step, value))
                elif name.endswith("/filenames"):
                    _picture(file.parent / "files", name.removesuffix("/filenames"), text, int(step), history)
        elif kind == "run":
            _run_facts(record.run, history)
        elif kind == "environment" and record.environment.program:
            words = [Path(record.environment.program).name, *record.environment.args]
            history.command = shlex.join(words)
            if record.environment.gpu_type:
                history.facts["device"] = record.environment.gpu_type
    if seconds:
        history.facts["logged for"] = _duration(seconds)
    names = {f"{name}/{part}" for name in history.pictures for part in ("width", "height", "count")}
    _add(history, {name: values for name, values in rows.items() if name not in names})
    history.meshes += sorted((file.parent / "files" / "media" / "object3D").rglob("*.glb"))


def _picture(files: Path, name: str, text: str, step: int, history: History) -> None:
    """Note the files of a picture; W&B's names are below `media/`."""
    with contextlib.suppress(ValueError, TypeError):
        for given in json.loads(text):
            path = files / str(given)
            if path.suffix in (".png", ".jpg") and path.resolve().is_relative_to(files.resolve()) and path.is_file():
                history.pictures.setdefault(name, []).append((step, path))


def _run_facts(run: Any, history: History) -> None:
    history.facts["run"] = run.display_name or run.run_id
    if run.project:
        history.facts["project"] = run.project
    if run.git.commit:
        history.facts["commit"] = run.git.commit[:10]
    if run.start_time.seconds:
        began = datetime.fromtimestamp(run.start_time.seconds, UTC)
        history.facts.setdefault("began", began.strftime("%Y-%m-%d %H:%M UTC"))


def _add(history: History, rows: dict[str, list[tuple[float, float]]]) -> None:
    for name, pairs in rows.items():
        steps, values = np.array(pairs, np.float64).T
        if name in history.metrics:  # of a run that was resumed
            before = history.metrics[name]
            keep = before.steps < steps.min()
            steps = np.concatenate([before.steps[keep], steps])
            values = np.concatenate([before.values[keep], values])
        history.metrics[name] = Series(steps, values)


def _number(text: object) -> float | None:
    """Read a number; W&B writes what is not finite as text."""
    if not isinstance(text, str) or not text or len(text) > 40:
        return None
    try:
        return float(text.strip('"'))
    except ValueError:
        return None


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
