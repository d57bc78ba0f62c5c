"""A comparison as tables for a terminal, a paper, a page and programs, and as one plot of all curves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mgc_lightning.evaluation.compare.statistics import FEW, LEVEL, RESAMPLES, Comparison, Estimate, Row
from mgc_lightning.evaluation.now.curve import draw_curves
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.text import json_text

CURVES = (".pdf", ".svg", ".png")


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Give a comparison as plain values."""
    return {
        "benchmark": comparison.protocol,
        "unit": "mm",
        "headline": comparison.headline,
        "reference": comparison.rows[0].name,
        "images": len(comparison.methods[0].images),
        "people": comparison.people,
        "left_out": comparison.left_out,
        "interval": f"{100 * LEVEL:.0f} %, people resampled {RESAMPLES} times, the same ones for all methods",
        "methods": [
            {
                "name": row.name,
                "scores": {name: asdict(score) for name, score in row.scores.items()},
                "difference": None if row.difference is None else asdict(row.difference),
                "better_on": row.better_on,
                "verdict": row.verdict,
            }
            for row in comparison.rows
        ],
    }


def comparison_table(comparison: Comparison) -> Table:
    """Lay out a comparison for a terminal."""
    table = Table(title=_title(comparison))
    for column in _columns(comparison):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in comparison.rows:
        table.add_row(*_cells(row))
    table.caption = " ".join(notes(comparison))
    return table


def notes(comparison: Comparison) -> list[str]:
    """Say how a comparison is to be read.

    Example:
        >>> from mgc_lightning.evaluation.compare import Method
        >>> from mgc_lightning.evaluation.compare.statistics import compare
        >>> errors = (np.ones(4), np.zeros(4))
        >>> said = notes(compare([Method(name, "realy", ("1", "2"), errors) for name in "ab"]))
        >>> said[-1]
        'Of 2 people an interval is narrower than it should be.'
    """
    found = [
        f"mm; in brackets 95 % intervals over people; differences of the {comparison.headline} to "
        f"{comparison.rows[0].name} on the same images, negative is better."
    ]
    if comparison.left_out:
        found.append(f"{len(comparison.left_out)} images that not all methods have are left out.")
    if comparison.people < FEW:
        found.append(f"Of {comparison.people} people an interval is narrower than it should be.")
    return found


def write_comparison(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write comparison.json, .csv, .tex, .md, and the cumulative curves of all methods as curves.pdf, .svg, .png.

    Args:
        comparison: what.
        folder: created if need be; files of the same names are replaced.

    Returns:
        The files.
    """
    folder = Path(folder)
    texts = {
        "json": f"{json_text(comparison_json(comparison))}\n",
        "csv": _csv(comparison),
        "tex": _latex(comparison),
        "md": _markdown(comparison),
    }
    written = []
    for suffix, text in texts.items():
        written.append(folder / f"comparison.{suffix}")
        with atomic_path(written[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    pools = {method.name: np.concatenate(method.errors) for method in comparison.methods}
    for suffix in CURVES:
        written.append(folder / f"curves{suffix}")
        draw_curves(written[-1], pools)
    return written


def _title(comparison: Comparison) -> str:
    name = {"now": "NoW", "realy": "REALY"}[comparison.protocol]
    return f"{name}: {len(comparison.methods[0].images)} images of {comparison.people} people"


def _columns(comparison: Comparison) -> list[str]:
    return ["method", *comparison.rows[0].scores, f"difference to {comparison.rows[0].name}", "better on", ""]


def _cells(row: Row) -> list[str]:
    share = "" if row.better_on is None else f"{100 * row.better_on:.0f} %"
    return [row.name, *map(str, row.scores.values()), str(row.difference or ""), share, row.verdict]


def _csv(comparison: Comparison) -> str:
    """Write a row a method, a column a number, as programs take it."""
    import csv
    import io

    stream = io.StringIO()
    names = list(comparison.rows[0].scores)
    writer = csv.writer(stream, lineterminator="\n")
    parts = [[name, f"{name}_low", f"{name}_high"] for name in [*names, "difference"]]
    writer.writerow(["method", *[column for part in parts for column in part], "better_on", "verdict"])
    for row in comparison.rows:
        estimates: list[Estimate | None] = [*row.scores.values(), row.difference]
        numbers = [["", "", ""] if e is None else [f"{v:.6f}" for v in (e.value, e.low, e.high)] for e in estimates]
        share = "" if row.better_on is None else f"{row.better_on:.4f}"
        writer.writerow([row.name, *[number for part in numbers for number in part], share, row.verdict])
    return stream.getvalue()


def _markdown(comparison: Comparison) -> str:
    columns = _columns(comparison)
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *(_cells(row) for row in comparison.rows)]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{_title(comparison)}\n\n{table}\n\n{' '.join(notes(comparison))}\n"


def _latex(comparison: Comparison) -> str:
    columns = _columns(comparison)
    rows = [" & ".join(map(_escaped, cells)) + r" \\" for cells in [columns, *(_cells(row) for row in comparison.rows)]]
    body = "\n".join([r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"])
    head = f"% {_title(comparison)}. {' '.join(notes(comparison))}\n% \\usepackage{{booktabs}}\n"
    return f"{head}\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}\n{body}\n\\end{{tabular}}\n"


def _escaped(text: str) -> str:
    """Escape what LaTeX reads as commands."""
    escapes = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(escapes.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)
