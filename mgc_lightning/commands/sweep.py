"""`mgc sweep`: a sweep file of W&B, run here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Count, Folder, Metavar, Seed


def sweep(
    file: Annotated[Path, Metavar("FILE")],
    *,
    trials: Count | None = None,
    jobs: Count = 1,
    output: Folder | None = None,
    seed: Seed = 0,
) -> int:
    """Run a W&B sweep file without account or server: trials as processes, pruned, resumed, compared.

    Args:
        file: the YAML of `wandb sweep`, or the name of a shipped one, such as sweeps/quickstart.
        trials: that shall have ended, those of before included; the file's run_cap, or the whole grid, if not given.
        jobs: trials at a time.
        output: folder for storage, logs, trials.csv, pictures and best.yaml; runs/sweeps/NAME if not given.
        seed: of the draws.
    """
    from rich.console import Console

    from mgc_lightning.sweeps.results import results_table
    from mgc_lightning.sweeps.run import run_sweep

    result = run_sweep(file, output, trials, jobs, seed, say=lambda line: print(line, flush=True))
    console = Console(width=None if Console().is_terminal else 160)
    console.print(results_table(result))
    counts = [f"{n} {state}" for state in ("complete", "pruned", "failed", "killed") if (n := result.count(state))]
    print(", ".join(counts))
    for trial in result.trials:
        if trial.state == "failed":
            print(f"failed: trial {trial.number}, status {trial.status}: {trial.log}")
    for label, path in result.files.items():
        print(f"{label}: {path}")
    if result.best is None:
        return 1
    print(f"  lightning fit --config {result.files['best']}")
    return 0
