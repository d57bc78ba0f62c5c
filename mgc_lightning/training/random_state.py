"""The random state of every rank, as plain tensors and lists that load with `weights_only=True`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
import torch.distributed as dist


def capture_random_state() -> list[dict[str, Any]]:
    """Give the random state of every rank; a collective call where there are several."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global generator others may use
    version, internal, gauss_next = random.getstate()
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *map(float, rest)],
        "python": [version, list(internal), gauss_next],
    }
    if not (dist.is_available() and dist.is_initialized()):
        return [state]
    states: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(states, state)
    return states


def restore_random_state(states: list[dict[str, Any]], rank: int) -> None:
    """Restore the state of a rank; where there are more ranks than states, the rest keep their own.

    Example:
        >>> state = capture_random_state()
        >>> first = torch.rand(3)
        >>> restore_random_state(state, rank=0)
        >>> torch.equal(torch.rand(3), first)
        True
    """
    if rank >= len(states):
        return
    state = states[rank]
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([part.cpu() for part in state["cuda"]])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), int(position), int(has_gauss), gauss))  # noqa: NPY002
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
