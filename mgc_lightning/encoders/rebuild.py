"""Whether a backbone can be built again from what a stored network says of it: asked before hours of training."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mgc_lightning.encoders.registry import HOW_TO_TELL, init_args_of, is_ours, not_plain


def rebuilding_trouble(backbone: nn.Module) -> str | None:
    """Say why no program could build a backbone again from its description, and the remedy; None if one could.

    One that is not ours is built once for trial; the random numbers of the caller stay where they are.

    Example:
        >>> from mgc_lightning.encoders import ResNet
        >>> rebuilding_trouble(ResNet(18, width=4)) is None
        True
        >>> rebuilding_trouble(nn.Sequential(nn.Conv2d(3, 4, 8, 8))).split(".")[0]
        'Its arguments are not known'
    """
    cls, init_args = type(backbone), init_args_of(backbone)
    if init_args is not None and is_ours(cls):
        return None
    if cls.__module__ == "__main__" or "<" in cls.__qualname__:
        place = "the script or notebook that runs" if cls.__module__ == "__main__" else "a function"
        return (
            f"Its class is defined in {place}, where no other program finds it. Move it into a module of its own, such "
            "as my_nets.py."
        )
    if init_args is None:
        return f"Its arguments are not known. {HOW_TO_TELL}"
    odd = not_plain(init_args)
    if odd:
        return (
            f"Its arguments {odd} are no plain values (numbers, strings, lists and dictionaries of them). Let its "
            "class take plain values and make the rest from them."
        )
    return _trial(backbone, cls, init_args)


def _trial(backbone: nn.Module, cls: type[nn.Module], init_args: dict[str, Any]) -> str | None:
    try:
        with _own_random_numbers():
            built = cls(**init_args)
    except Exception as error:  # it is not our code
        return (
            f"Making it again from {init_args} fails ({type(error).__name__}: {error}). Let its `config` or its "
            "`__init__` have what it takes."
        )
    ours, theirs = ({key: tuple(value.shape) for key, value in m.state_dict().items()} for m in (backbone, built))
    if ours != theirs:
        other = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        return (
            f"Made again from {init_args}, it has other weights ({', '.join(other[:3])}, ...). Let its `config` or its "
            "`__init__` have everything that shapes it."
        )
    return None


@contextlib.contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Put every generator back where it was."""
    plain, array = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator others may use
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(array)  # noqa: NPY002
