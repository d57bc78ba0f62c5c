"""The scores on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.summary import IDENTITY, NOW, SummaryRow


def summary_table(rows: Sequence[SummaryRow], heads: Sequence[str]) -> Table:
    """Lay out the rows, a section for each kind of error.

    Example:
        >>> row = SummaryRow(NOW, "limit", {"detector": 0.4, "box": None})
        >>> table = summary_table([row], ["anna", "ben"])
        >>> str(table.title), list(table.columns[1].cells), list(table.columns[2].cells)
        ('Scans: mean of 2 heads', ['', '0.40'], ['', '-'])
    """
    columns = list(rows[0].values)
    shown = heads[0] if len(heads) == 1 else f"mean of {len(heads)} heads"
    table = Table(title=f"Scans: {shown}")
    table.add_column("")
    for column in columns:
        table.add_column(TITLES.get(column, column), justify="right")  # type: ignore[call-overload]
    table.add_column("faces", justify="right")
    section = ""
    for row in rows:
        if row.section != section:
            if section:
                table.add_section()
            table.add_row(row.section, style="bold")
            section = row.section
        digits = 2 if row.section in (NOW, IDENTITY) else 1
        cells = ["-" if row.values[column] is None else f"{row.values[column]:.{digits}f}" for column in columns]
        table.add_row(f"  {row.name}", *cells, str(row.count) if row.count else "")
    return table


def print_summary(
    rows: Sequence[SummaryRow],
    results: Sequence[HeadResult],
    console: Console | None = None,
    reword: Callable[[str], str] = str,
) -> None:
    """Print the table, and what to mind: sampled surfaces, faces that were not found.

    Args:
        rows: of the table.
        results: of each head.
        console: where; the terminal, or lines wide enough for the table.
        reword: gives arguments that are named as in Python other names, a command its flags.
    """
    console = console or Console(width=None if Console().is_terminal else 110)
    console.print(summary_table(rows, [result.head.name for result in results]))
    for result in results:
        if result.head.sampled:
            told = "density on its surface in place of its vertices (`votes='vertices'` counts these)"
            console.print(
                f"{result.head.name}: a coarse scan; NoW counts {len(result.head.scan.points):,} points at equal "
                f"{reword(told)}"
            )
        for column, faces in result.faces.items():
            missing = [p.plan.name for p, face in zip(result.photographs, faces, strict=True) if face is None]
            if missing:
                console.print(
                    f"{result.head.name}: {len(missing)} of {len(faces)} photographs without a face "
                    f"({TITLES.get(column, column)}): {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}"  # type: ignore[call-overload]
                )
