"""Which sample goes where: slices of global batches for every rank, and a loader that resumes inside an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, DistributedSampler

from mgc_lightning.errors import MGCError


class GlobalBatchSampler(DistributedSampler[int]):
    """Give each rank its slice of every global batch.

    A global batch is `batch_size * world_size` consecutive samples; rank r takes the r-th slice of it. So the ranks
    see disjoint samples, and together, step for step, what one process sees with the global batch size.

    It is a `DistributedSampler`, which makes Lightning leave it alone (with any `use_distributed_sampler`) and call
    `set_epoch`.

    Args:
        size: samples of an epoch over all ranks.
        batch_size: of one rank.
        rank: of this process.
        world_size: number of processes.
        new_every_epoch: epoch e has the indices e * size and following, whole global batches only. Otherwise every
            epoch has 0 ... size - 1, and the last batch is filled up from the start to serve all ranks equally.

    Raises:
        MGCError: if an epoch has no whole global batch, or a number makes no sense.

    Example:
        >>> ranks = [list(GlobalBatchSampler(8, batch_size=2, rank=rank, world_size=2)) for rank in (0, 1)]
        >>> ranks  # global batches are 0 1 2 3 and 4 5 6 7
        [[0, 1, 4, 5], [2, 3, 6, 7]]
    """

    def __init__(
        self, size: int, batch_size: int, rank: int = 0, world_size: int = 1, *, new_every_epoch: bool = False
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world_size:
            raise MGCError(
                f"Expected batch_size >= 1 and 0 <= rank < world_size, got {batch_size}, {rank} and {world_size}"
            )
        super().__init__(range(size), num_replicas=world_size, rank=rank, shuffle=False)  # type: ignore[arg-type]
        self.size, self.batch_size = size, batch_size
        self.new_every_epoch = new_every_epoch
        self.start = 0
        if new_every_epoch and size < self.global_batch_size:
            raise MGCError(
                f"An epoch of {size} samples has no whole batch of {batch_size} samples on {world_size} processes; "
                "lower the batch size or raise the size of the epoch"
            )

    @property
    def global_batch_size(self) -> int:
        """Samples of one step over all ranks."""
        return self.batch_size * self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of another epoch; the current one keeps its place."""
        if epoch != self.epoch:
            self.start = 0
        self.epoch = epoch

    def __len__(self) -> int:
        """Samples of a whole epoch on this rank, wherever it is resumed."""
        if self.new_every_epoch:
            return self.size // self.global_batch_size * self.batch_size
        return -(-self.size // self.num_replicas)

    def __iter__(self) -> Iterator[int]:
        """Yield this rank's samples from `start` on."""
        first = self.epoch * self.size if self.new_every_epoch else 0
        last = self.size - self.size % self.global_batch_size if self.new_every_epoch else self.size
        for begin in range(self.start, last, self.global_batch_size):
            batch = list(range(begin, min(begin + self.global_batch_size, last)))
            batch += [place % self.size for place in range(-len(batch) % self.num_replicas)]
            share = len(batch) // self.num_replicas
            yield from (first + place for place in batch[self.rank * share : (self.rank + 1) * share])


def unfinished_batches(trainer: L.Trainer | None) -> int:
    """Count the batches that a trainer has taken but not trained on: 1 inside a step, else 0."""
    if trainer is None:
        return 0
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return int(progress.ready - progress.processed)


class ResumableLoader(DataLoader[Any]):
    """Load batches and know how many have been used, so that a checkpoint inside an epoch resumes exactly there.

    Lightning stores `state_dict` of such loaders with its fit loop and restores it before the first batch. The place
    is kept in samples of all ranks: a run may resume with other batch sizes or ranks where that comes out even.
    Batches that loader processes have prepared ahead are not counted.

    Args:
        *args: of `DataLoader`.
        unfinished: gives the number of batches that were handed out but not used when a checkpoint is written (an
            exception inside a step).
        **kwargs: of `DataLoader`; `sampler` should be a `GlobalBatchSampler`.

    Example:
        >>> loader = ResumableLoader(range(6), batch_size=2, sampler=GlobalBatchSampler(6, 2))
        >>> batches = iter(loader)
        >>> next(batches).tolist(), loader.state_dict()
        ([0, 1], {'epoch': 0, 'samples': 2})
    """

    def __init__(self, *args: Any, unfinished: Callable[[], int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unfinished = unfinished
        self._handed_out = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield batches from the place of the sampler on."""
        # A generator: nothing is drawn before the first `next`, by which time Lightning has set the epoch.
        sampler = self._place()
        self._handed_out = 0
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch
        if sampler is not None:
            self._handed_out += sampler.start // sampler.global_batch_size
            sampler.start = 0

    def _place(self) -> GlobalBatchSampler | None:
        # Lightning exchanges the sampler under `overfit_batches`: then there is no place to keep.
        return self.sampler if isinstance(self.sampler, GlobalBatchSampler) else None

    def state_dict(self) -> dict[str, int]:
        """Give the epoch and the number of its samples, over all ranks, that have been used."""
        sampler = self._place()
        if sampler is None:
            return {"epoch": 0, "samples": 0}
        used = self._handed_out - (self._unfinished() if self._unfinished else 0)
        return {"epoch": sampler.epoch, "samples": sampler.start + max(used, 0) * sampler.global_batch_size}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue after the samples that have been used.

        Raises:
            MGCError: if the place is not at the edge of a batch, because the global batch size has changed.
        """
        sampler = self._place()
        if sampler is None:
            return
        if state_dict["samples"] % sampler.global_batch_size:
            raise MGCError(
                f"The checkpoint was written after {state_dict['samples']} samples of its epoch, which is no multiple "
                f"of the global batch of {sampler.global_batch_size}; resume with the batch size and the number of "
                "processes of the interrupted run, or from a checkpoint at the end of an epoch"
            )
        sampler.set_epoch(state_dict["epoch"])
        sampler.start = state_dict["samples"]
        self._handed_out = 0
