"""Where a run comes from: its command, and the version of the code."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from pathlib import Path

import lightning
import torch

from mgc_lightning import __version__


def describe_origin(arguments: list[str] | None = None) -> dict[str, str]:
    """Give the command line of this process, and the versions of the code that it runs.

    Args:
        arguments: of the program; those of this process if not given.

    Returns:
        `command`; `code`, the package's version with the commit where it lies in a checkout; `working_folder_commit`
        where the user's own folder is another checkout; versions of torch, Lightning and Python.

    Example:
        >>> origin = describe_origin(["lightning", "fit", "--config", "my runs.yaml"])
        >>> origin["command"]
        "lightning fit --config 'my runs.yaml'"
    """
    program, *rest = sys.argv if arguments is None else arguments
    package = Path(__file__).resolve().parents[2]
    # A package that is installed may lie in a checkout that is not its own: in an environment of a project.
    own = commit(package) if (package / "pyproject.toml").is_file() else None
    here = commit(Path.cwd())
    origin = {
        "command": f"{Path(program).name} {shlex.join(rest)}".strip(),
        "code": f"mgc-lightning {__version__}" + (f", commit {own}" if own else ""),
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
        "python": platform.python_version(),
    }
    return origin | ({"working_folder_commit": here} if here and here != own else {})


def commit(folder: Path) -> str | None:
    """Give the commit of a git checkout, with `-dirty` if files differ from it; None where there is none."""
    try:
        line = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
