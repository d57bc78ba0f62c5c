"""Which checkpoint to go on from: the last of a run, and the newest whole one where that is damaged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments import SLURMEnvironment

from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.training.checkpoint_io import naming_another

_LAST = re.compile(r"last(-v\d+)?\.ckpt")


def find_last(trainer: dict[str, Any]) -> Path | None:
    """Find the newest `last.ckpt` of the runs that a config writes.

    Args:
        trainer: of the config, as plain values.

    Returns:
        That of the ModelCheckpoint's folder where one is configured, else of all runs of the first logger, else below
        the default root; None if there is none.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> folder = root / "mgc" / "k3x9" / "checkpoints"
        >>> folder.mkdir(parents=True)
        >>> (folder / "last.ckpt").touch()
        >>> find_last({"default_root_dir": str(root), "logger": None}).relative_to(root).as_posix()
        'mgc/k3x9/checkpoints/last.ckpt'
    """
    found = [path for folder in _folders(trainer) for path in folder.glob("last*.ckpt") if _LAST.fullmatch(path.name)]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _folders(trainer: dict[str, Any]) -> Iterable[Path]:
    callbacks = trainer.get("callbacks") or []
    for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
        if folder := (callback.get("init_args") or {}).get("dirpath"):
            return [Path(folder)]
    root = Path(trainer.get("default_root_dir") or ".")
    loggers = trainer.get("logger")
    first = loggers[0] if isinstance(loggers, list) and loggers else loggers
    arguments = (first.get("init_args") or {}) if isinstance(first, dict) else {}
    name = arguments.get("project") or arguments.get("name")
    if name:
        return (Path(arguments.get("save_dir") or root) / str(name)).glob("*/checkpoints")
    return [root / "checkpoints", *root.glob("*/*/checkpoints")]


def find_requeued(root: str | Path | None) -> Path | None:
    """Find what Lightning wrote when SLURM requeued this job, and will go on from; None outside SLURM.

    Example:
        >>> find_requeued("no such folder")
    """
    if not SLURMEnvironment.detect():
        return None
    found = {int(path.stem.rpartition("_")[2]): path for path in Path(root or ".").glob("hpc_ckpt_*.ckpt")}
    return found[max(found)] if found else None


def read_or_name_another(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        MGCError: if it is not there or damaged, with the newest whole one beside it.
    """
    if not Path(path).is_file():
        return read_checkpoint(path)
    with naming_another(path):
        return read_checkpoint(path)
