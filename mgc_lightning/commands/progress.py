"""Bars of progress for commands whose work is counted by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mgc_lightning.arguments.verbosity import is_quiet

Show = Callable[[str, int, int], None]
"""Takes what is done, how far, and of how much."""


@contextmanager
def progress_bars() -> Iterator[Show]:
    """Show a bar for each name on standard error, in a terminal only."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Progress(console=console, disable=not console.is_terminal or is_quiet()) as progress:

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield show
