"""What validations hand to callbacks, and callbacks to loggers; one of these that fails is warned of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image

from mgc_lightning.scene import FaceViews
from mgc_lightning.training.uploads import optional_upload


def handed_views(outputs: Any) -> FaceViews | None:
    """Give the `views` of what a `validation_step` returned; None where a module of one's own returns none."""
    return outputs.get("views") if isinstance(outputs, Mapping) else None


def hand_to_wandb(trainer: L.Trainer, what: str, content: Callable[[], Mapping[str, Any]]) -> None:
    """Log content to every W&B logger.

    Args:
        trainer: whose loggers.
        what: it is, for the warning.
        content: made only where there is such a logger.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            with optional_upload(what):
                # Beside the counter that Lightning logs; wandb's own `step` would run backwards.
                logger.experiment.log({**content(), "trainer/global_step": trainer.global_step})


def hand_picture(trainer: L.Trainer, name: str, path: Path) -> None:
    """Log a picture to W&B and TensorBoard; for others it lies in the run's folder."""

    def picture() -> dict[str, Any]:
        import wandb

        return {name: wandb.Image(str(path))}

    hand_to_wandb(trainer, f"{name} ({path})", picture)
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            with optional_upload(f"{name} ({path})"), Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
                logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")
