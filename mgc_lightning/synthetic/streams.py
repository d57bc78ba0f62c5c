"""Random numbers by address: the same seed, split and index give the same numbers in any process and any order."""

from __future__ import annotations

import zlib
from typing import Literal, get_args

import numpy as np

from mgc_lightning.errors import MGCError, check_choice

Split = Literal["train", "val", "test", "predict"]
"""Splits have disjoint streams, and so disjoint identities."""
_INDEX_BITS = 56


def stream(seed: int, split: Split, index: int, purpose: str) -> np.random.Generator:
    """Open the random stream of one purpose of one sample.

    Philox is a counter-based generator: its output is a bijection of key and counter, so streams of different
    addresses never overlap. The key is (seed, split and index); the purpose sets the counter's top word, so that
    a new use of randomness in one part leaves the other parts as they were.

    Args:
        seed: the data's seed, 0 <= seed < 2**64.
        split: of the data.
        index: number of the sample in the split, 0 <= index < 2**56.
        purpose: any name, e.g. "pose".

    Raises:
        MGCError: if the seed or the index is out of range, or the split unknown.

    Example:
        >>> float(stream(0, "train", 7, "pose").random()) == float(stream(0, "train", 7, "pose").random())
        True
    """
    check_choice("split", split, Split)
    if not 0 <= index < 2**_INDEX_BITS:
        raise MGCError(f"Expected a sample index in [0, 2**{_INDEX_BITS}), got {index}")
    if not 0 <= seed < 2**64:
        raise MGCError(f"Expected a seed in [0, 2**64), got {seed}")
    key = np.array([seed, (get_args(Split).index(split) << _INDEX_BITS) | index], dtype=np.uint64)
    counter = np.array([0, 0, 0, zlib.crc32(purpose.encode())], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
