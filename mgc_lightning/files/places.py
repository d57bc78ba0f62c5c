"""Where shipped configs and the user's cache are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """Give the folder of shipped configs: inside the package in a wheel, beside it in a clone.

    Example:
        >>> (configs_folder() / "quickstart.yaml").is_file()
        True
    """
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def cache_folder() -> Path:
    """Give the user's cache: `MGC_CACHE`, or `~/.cache/mgc_lightning`.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, MGC_CACHE="caches/mgc"):
        ...     cache_folder().as_posix()
        'caches/mgc'
    """
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mgc_lightning"
    return Path(os.environ.get("MGC_CACHE", default)).expanduser()


def as_paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """Give one path, or several, as a list.

    Example:
        >>> [path.name for path in as_paths("scans/anna.ply")]
        ['anna.ply']
    """
    return [Path(path) for path in ([given] if isinstance(given, str | Path) else given)]
