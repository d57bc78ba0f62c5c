"""Which of the processes of a run this one is."""

from __future__ import annotations

import lightning as L


def rank_of(data: L.LightningDataModule) -> tuple[int, int]:
    """Give rank and number of the processes of a data module's trainer; 0 and 1 where it has none.

    Example:
        >>> rank_of(L.LightningDataModule())  # no trainer
        (0, 1)
    """
    trainer = data.trainer
    return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
