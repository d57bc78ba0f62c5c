"""Whether a run goes to Weights & Biases at once, or is kept offline."""

from __future__ import annotations

import logging
import os

from mgc_lightning.files.wandb_server import has_key, server_address, unreachable

logger = logging.getLogger(__name__)


FINISH_SECONDS = 600
"""That W&B gets after a training for what is not uploaded; it would wait for a broken server for ever."""


def prepare_wandb() -> None:
    """Run W&B offline where there is no key, so that it does not ask, and let its uploads come to an end."""
    os.environ.setdefault("WANDB_FINISH_TIMEOUT", str(FINISH_SECONDS))
    if "WANDB_MODE" not in os.environ and not has_key():
        os.environ["WANDB_MODE"] = "offline"


def keep_offline_without_server() -> None:
    """Run W&B offline, aloud, where there is a key and no server: it waits for minutes, and then ends the training."""
    if os.environ.get("WANDB_MODE", "online") == "online" and has_key() and (why := unreachable()):
        os.environ["WANDB_MODE"] = "offline"
        logger.warning(
            "Weights & Biases at %s cannot be reached (%s): runs are kept offline, `wandb sync PATH` uploads them",
            server_address(),
            why,
        )
