"""What a run leaves behind: JSON, and a sheet of pictures a head."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mgc_lightning
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.score import ScanScore
from mgc_lightning.evaluation.scan.settings import ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.summary import SummaryRow, coefficient_spread, columns_of
from mgc_lightning.files.text import write_json

RESULTS = "scores.json"
"""Name of the file, in the output folder."""


def results_json(
    results: Sequence[HeadResult], rows: Sequence[SummaryRow], settings: ScanBenchmarkSettings
) -> dict[str, Any]:
    """Give everything as plain values."""
    return {
        "version": mgc_lightning.__version__,
        "settings": json.loads(json.dumps(asdict(settings), default=str)),
        "summary": [
            {"section": row.section, "row": row.name, "faces": row.count, "values": row.values} for row in rows
        ],
        "identity_coefficients": {
            column: {"within": found.within, "between": found.between, "ratio": found.ratio}
            for column in columns_of(results)
            if (found := coefficient_spread(results, column)) is not None
        },
        "heads": [_head(result) for result in results],
    }


def _head(result: HeadResult) -> dict[str, Any]:
    fit = result.fit
    return {
        "name": result.head.name,
        "votes": "surface" if result.head.sampled else "vertices",
        "points": len(result.head.scan.points),
        "radius_mm": result.head.scan.radius,
        "fit": {
            "identity_rms": float(fit.identity.square().mean().sqrt()),
            "scale": fit.s,
            "landmarks_mm": [round(float(value), 3) for value in fit.landmark_distances],
        },
        "scores": [_score(score) for score in result.scores],
    }


def _score(score: ScanScore) -> dict[str, Any]:
    return {
        "column": score.column,
        "method": score.method,
        "photographs": list(score.photographs),
        "median": score.error.median,
        "mean": score.error.mean,
        "std": score.error.std,
        "rotation": score.rotation,
        "nme": score.nme,
    }


def write_results(
    output: Path, results: Sequence[HeadResult], rows: Sequence[SummaryRow], settings: ScanBenchmarkSettings
) -> Path:
    """Write the JSON file."""
    path = output / RESULTS
    write_json(path, results_json(results, rows, settings))
    return path
