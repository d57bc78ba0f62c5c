"""A limit on what a description may make the program allocate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mgc_lightning.errors import MGCError

BY_SIZE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)
"""Asked before they are called: some would fill the memory at once."""


class TensorAllowance(TorchFunctionMode):
    """Refuse new tensors that together hold more numbers than allowed, before their memory is touched.

    A file of a few bytes may describe a network of terabytes. What it holds itself says how large the network can be.

    Args:
        numbers: that new tensors may hold together.

    Raises:
        MGCError: on entry to the operation that exceeds it.

    Example:
        >>> with TensorAllowance(100):
        ...     torch.zeros(8, 8).shape
        torch.Size([8, 8])
        >>> with TensorAllowance(100):
        ...     torch.nn.Linear(10**6, 10**6)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: asks for tensors of 1000000000000 numbers, where 100 are allowed
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.allowed, self.asked = numbers, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Count what operations without tensors make: they are the ones that allocate from nothing."""
        keywords: Mapping[str, Any] = kwargs or {}
        if any(isinstance(value, Tensor) for value in (*args, *keywords.values())):
            return func(*args, **keywords)
        if func in BY_SIZE:
            sizes = keywords.get("size", args)
            self._count(prod(sizes[0] if sizes and not isinstance(sizes[0], int) else sizes))
            return func(*args, **keywords)
        result = func(*args, **keywords)
        if isinstance(result, Tensor):
            self._count(result.numel())
        return result

    def _count(self, numbers: int) -> None:
        self.asked += numbers
        if self.asked > self.allowed:
            raise MGCError(f"asks for tensors of {self.asked} numbers, where {self.allowed} are allowed")
