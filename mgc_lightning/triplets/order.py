"""In which order samples come: shuffled over windows of shards, so that a stream needs few of them at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class WindowShuffle:
    """Shuffle the shards, then the samples of every `window` consecutive shards together.

    Every pass has each sample once. The order is a function of seed and pass alone; a window's order is all that is
    held in memory.

    Args:
        counts: samples of each shard.
        window: shards that are mixed; the shards a reader needs at hand.
        seed: of the order.

    Example:
        >>> order = WindowShuffle([3, 2], window=2, seed=0)
        >>> sorted(order(place) for place in range(5))
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    """

    def __init__(self, counts: Sequence[int], window: int = 16, seed: int = 0) -> None:
        self.counts = np.array(counts, dtype=np.int64)
        self.window, self.seed = max(1, window), seed
        self._pass = -1
        self._order = np.zeros(0, np.int64)
        self._ends = np.zeros(0, np.int64)
        self._window: tuple[int, int] = (-1, -1)
        self._samples = np.zeros((0, 2), np.int64)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def __call__(self, place: int) -> tuple[int, int]:
        """Give shard and number of the sample at a place of the endless stream of passes."""
        turn, place = divmod(place, len(self))
        if turn != self._pass:
            self._pass, self._order = turn, np.random.default_rng((self.seed, turn)).permutation(len(self.counts))
            self._ends = np.cumsum(self.counts[self._order])
        shard = int(np.searchsorted(self._ends, place, side="right"))
        window = shard // self.window
        if self._window != (turn, window):
            self._window, self._samples = (turn, window), self._mix(turn, window)
        first = window * self.window
        start = int(self._ends[first - 1]) if first else 0
        chosen = self._samples[place - start]
        return int(chosen[0]), int(chosen[1])

    def _mix(self, turn: int, window: int) -> np.ndarray:
        shards = self._order[window * self.window : (window + 1) * self.window]
        samples = np.concatenate(
            [np.stack([np.full(self.counts[s], s), np.arange(self.counts[s])], axis=1) for s in shards]
        )
        return samples[np.random.default_rng((self.seed, turn, window)).permutation(len(samples))]
