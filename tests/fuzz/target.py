"""A target of the fuzzer: a reader, and whole files that it reads."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch


@dataclass
class Target:
    """One reader.

    Attributes:
        make: writes files into a folder, and gives the one that is damaged, or a folder, of which any file is.
        read: reads it; what it gives is compared by `digest`.
        guarded: damage must be seen, since the file has a checksum.
        needs: a module of an extra, without which it is left out.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    guarded: bool = False
    needs: str | None = None


def digest(value) -> str:
    """Hash what was read."""
    found = hashlib.sha256()

    def add(node):
        if isinstance(node, dict):
            for key in sorted(node, key=str):
                found.update(str(key).encode("utf-8", "replace"))
                add(node[key])
        elif isinstance(node, list | tuple):
            for each in node:
                add(each)
        elif isinstance(node, torch.Tensor):
            found.update(f"{node.dtype}{tuple(node.shape)}".encode())
            found.update(node.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(node, np.ndarray) and not node.dtype.hasobject:
            found.update(f"{node.dtype}{node.shape}".encode() + np.ascontiguousarray(node).tobytes())
        elif hasattr(node, "__dict__"):
            add(vars(node))
        else:
            found.update(repr(node).encode("utf-8", "replace"))

    add(value)
    return found.hexdigest()


def text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder):
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return make


def array(name: str, values) -> Callable[[Path], Path]:
    def make(folder):
        np.save(folder / name, np.asarray(values), allow_pickle=True)
        return folder / name

    return make
