"""From a folder of results to one page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mgc_lightning import __version__
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.report.markup import Html, page, tag
from mgc_lightning.report.reconstructed import REPORT, is_reconstructed, reconstructed_section
from mgc_lightning.report.scores import Results, read_results, scores_sections
from mgc_lightning.report.training import is_training, training_section

MOST_RUNS = 12
"""Runs of one page."""
DEPTH = 3
"""Folders below the one that is given in which runs are looked for."""


def write_report(source: str | Path, output: str | Path, faces: int = 3) -> Path:
    """Write one HTML page of a training, of a benchmark's results, of reconstructed faces, or of a folder of them.

    The page holds all that it shows, and asks nobody for anything: it may be mailed, kept, opened without a network.

    Args:
        source: a run's folder (of `lightning fit`, of CSVLogger, or W&B's), a JSON file of `mgc benchmark`, a folder of
            such files, the output of `mgc benchmark scan` or `mgc benchmark compare`, of `mgc reconstruct`, or a folder
            of runs.
        output: the .html to write.
        faces: unseen synthetic faces that are shown as a run's export sees them.

    Raises:
        MGCError: if there is nothing to tell of, a file of it cannot be read, or `output` cannot be written.

    Example:
        >>> write_report("runs/quickstart/ID", "report.html")  # doctest: +SKIP
        PosixPath('report.html')
    """
    source, target = Path(source), Path(output)
    if target.suffix.lower() not in (".html", ".htm"):
        raise MGCError(f"`output` must end in .html; got {target}")
    sections = _sections(source, faces)
    if not sections:
        raise MGCError(
            f"{source}: nothing to report on; expected a run's folder, JSON files of `mgc benchmark`, the output of "
            "`mgc reconstruct`, or a folder of them"
        )
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    title = source.resolve().name
    about = tag(
        "p", tag("span", source), tag("span", made), tag("span", f"mgc-lightning {__version__}"), class_="facts"
    )
    text = page(title, tag("h1", title), about, *sections)
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _sections(source: Path, faces: int) -> list[Html]:
    if source.is_file():
        found = read_results(source) if source.suffix == ".json" else None
        return [] if found is None else scores_sections([(found[0], source, found[1])])
    if not source.is_dir():
        raise MGCError(f"{source}: no such file or folder")
    sections: list[Html] = []
    if is_training(source):
        sections.append(training_section(source, faces))
    if is_reconstructed(source):
        sections.append(reconstructed_section(source))
    sections += scores_sections(_results(source))
    if not sections:
        runs = list(_runs(source, DEPTH))
        for folder in runs[:MOST_RUNS]:
            sections.append(training_section(folder, faces) if is_training(folder) else reconstructed_section(folder))
        if len(runs) > MOST_RUNS:
            text = f"{len(runs) - MOST_RUNS} more runs are left out: report on them one by one."
            sections.append(tag("p", text, class_="note"))
    return sections


def _results(folder: Path) -> list[tuple[str, Path, Results]]:
    """Read the results in a folder; of a folder that stands beside its JSON file, that file."""
    files = [path for path in sorted(folder.glob("*.json")) if path.name != REPORT]
    beside = folder.resolve().with_suffix(".json")
    if not files and beside.is_file():
        files = [beside]
    found = [(path, read_results(path)) for path in files if path.is_file()]
    return [(result[0], path, result[1]) for path, result in found if result is not None]


def _runs(folder: Path, depth: int) -> Iterator[Path]:
    """Find the folders of runs below one, without following links."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()):
        if inner.name == "wandb" or inner.name.startswith("."):
            continue
        if is_training(inner) or is_reconstructed(inner):
            yield inner
        elif depth > 1:
            yield from _runs(inner, depth - 1)
