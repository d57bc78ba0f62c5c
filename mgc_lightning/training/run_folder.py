"""The folder of a run: config, checkpoints, pictures and exports lie side by side."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Trainer


def run_folder(trainer: Trainer) -> Path:
    """Give `save_dir/name/version` of the first logger, or the default root without one (as ModelCheckpoint does).

    Example:
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> trainer = Trainer(logger=CSVLogger("runs", name="mgcnet", version=3), accelerator="cpu")
        >>> run_folder(trainer).as_posix()
        'runs/mgcnet/version_3'
    """
    if not trainer.loggers:
        return Path(trainer.default_root_dir)
    first = trainer.loggers[0]
    version = first.version if isinstance(first.version, str) else f"version_{first.version}"
    return Path(first.save_dir or trainer.default_root_dir) / str(first.name) / version
