"""`mgc benchmark compare`: methods compared on the same images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Flag, Folder, Metavar


def benchmark_compare(
    results: Annotated[list[Path], Metavar("FILE.json")],
    *,
    output: Folder,
    common: bool = False,
    as_json: Annotated[bool, Flag("--json")] = False,
) -> int:
    """Compare methods on the same images: paired, with confidence intervals, tables and curves.

    Args:
        results: of `mgc benchmark now` or `mgc benchmark realy`, two or more; the others are compared with the first.
        output: folder for comparison.json, .csv, .tex, .md and curves.pdf, .svg, .png.
        common: leave out images that not all methods have.
        as_json: print JSON instead of a table.
    """
    from rich.console import Console

    from mgc_lightning.evaluation.compare import compare_methods, write_comparison
    from mgc_lightning.evaluation.compare.tables import comparison_json, comparison_table

    comparison = compare_methods(results, common)
    files = write_comparison(comparison, output)
    if as_json:
        print(json.dumps(comparison_json(comparison), indent=1))
        return 0
    Console(width=None if Console().is_terminal else 160).print(comparison_table(comparison))
    print("\n".join(map(str, files)))
    return 0
