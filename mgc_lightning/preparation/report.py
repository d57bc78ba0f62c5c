"""What to look at after preparing: histogram, contact sheet, list of refused files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.pictures.drawing import Picture, save_png, to_picture
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import sheet
from mgc_lightning.triplets.grouping import Triplet
from mgc_lightning.triplets.samples import decode_jpeg, decode_sample

YAW_EDGES = (-90, -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90)
SHEET_ROWS = 12


def summarise(triplets: Sequence[Triplet], rejected: Iterable[tuple[str, str, str]], photos: int) -> dict[str, Any]:
    """Count targets by yaw, links, identities and rejections.

    Example:
        >>> from mgc_lightning.triplets.grouping import Face
        >>> views = tuple(Face(f"anna/{yaw}", "anna", "monday", float(yaw)) for yaw in (0, -20, 20))
        >>> refused = [("anna/7", "blurred", "sharpness 1.20")]
        >>> summary = summarise([Triplet(views, 2, "train")], refused, photos=4)
        >>> summary["samples"], summary["links"], summary["rejected"]
        (1, {'0': 0, '1': 0, '2': 1}, {'blurred': 1})
    """
    yaws = [triplet.views[0].yaw for triplet in triplets]
    reasons = Counter(reason for _, reason, _ in rejected)
    people = {view.identity or view.name for triplet in triplets for view in triplet.views}
    return {
        "photographs": photos,
        "rejected": dict(sorted(reasons.items())),
        "samples": len(triplets),
        "identities": len(people),
        "links": {str(link): sum(t.link == link for t in triplets) for link in (0, 1, 2)},
        "target_yaw": np.histogram(np.clip(yaws, -90, 90), YAW_EDGES)[0].tolist() if yaws else [],
        "target_yaw_edges": list(YAW_EDGES),
    }


def histogram(summary: dict[str, Any]) -> Table:
    """Draw the summary as a table with bars.

    Example:
        >>> summary = summarise([], [("anna/7", "blurred", "sharpness 1.20")], photos=1)
        >>> list(histogram(summary).columns[0].cells)[-1]
        'refused: blurred'
    """
    table = Table(title=f"{summary['samples']} samples of {summary['identities']} people", show_header=False, box=None)
    rows = [(f"link {link}", count) for link, count in summary["links"].items()]
    edges = summary["target_yaw_edges"]
    rows += [(f"yaw {a} .. {b}", n) for a, b, n in zip(edges, edges[1:], summary["target_yaw"], strict=False)]
    rows += [(f"refused: {reason}", count) for reason, count in summary["rejected"].items()]
    most = max((count for _, count in rows), default=1) or 1
    for name, count in rows:
        table.add_row(name, str(count), "█" * round(30 * count / most))
    return table


def write_rejected(path: Path, rejected: Iterable[tuple[str, str, str]]) -> int:
    """Write every refused file with its reason; return their number."""
    count = 0
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("file", "reason", "detail"))
        for row in rejected:
            writer.writerow(row)
            count += 1
    return count


def write_sheet(path: Path, samples: Sequence[dict[str, Any]]) -> None:
    """Draw samples: target and sources with landmarks, the target's skin; a row a sample."""
    rows: list[list[Picture | None]] = []
    names = []
    for files in samples[:SHEET_ROWS]:
        sample = decode_sample(files)
        views = [
            draw_landmarks(image.float() / 255, points)
            for image, points in zip(sample.images, sample.landmarks, strict=True)
        ]
        skin = decode_jpeg(files["0.skin.jpg"], "L").float() / 255
        rows.append([*views, to_picture(torch.cat([skin * sample.images[0] / 255]))])
        yaws = ", ".join(f"{view['yaw']:.0f}" for view in sample.facts["views"])
        names.append(f"link {sample.link}: {yaws}")
    if rows:
        save_png(path, sheet(rows, ["target", "source 1", "source 2", "skin"], names))
