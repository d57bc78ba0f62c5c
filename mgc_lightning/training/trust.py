"""What a checkpoint may bring into an evaluation: values, classes of ours, and those that the user names."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mgc_lightning.encoders.registry import BACKBONES, stored_arguments
from mgc_lightning.errors import MGCError

TRAINING_ONLY = ("optimizer", "scheduler", "init", "max_nonfinite_steps")
"""Hyperparameters that an evaluation does not use."""
_IMPORTABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def trusted(
    stored: Mapping[str, Any], current: Mapping[str, Any], defaults: Mapping[str, Any], imports: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Leave out of a checkpoint's hyperparameters what would import modules that the user did not name.

    Args:
        stored: of the checkpoint.
        current: of the config: what it sets is the user's word, and is used whatever the checkpoint says.
        defaults: of the program.
        imports: modules that the user named.

    Returns:
        the hyperparameters that may be adopted, and a line for each that may not.

    Raises:
        MGCError: if the backbone is of a module that the user did not name: nothing can be evaluated then.

    Example:
        >>> stored = {"image_size": 96, "optimizer": {"class_path": "my_optimizers.Mine"}}
        >>> current = {"image_size": 224, "optimizer": None}
        >>> kept, report = trusted(stored, current, current, imports=[])
        >>> kept  # the class is of a module that nobody named
        {'image_size': 96}
    """
    kept, report = {}, []
    for key, value in stored.items():
        if key in TRAINING_ONLY:
            continue
        unset = current.get(key) == defaults.get(key)
        foreign = sorted(set(foreign_names(value, imports))) if unset else []
        if not foreign:
            kept[key] = _harmless(value) if unset and key == "backbone" else value
            continue
        remedy = f"`imports={sorted({name.rpartition('.')[0] for name in foreign})!r}`"
        names = ", ".join(f"`{name}`" for name in foreign)
        if key == "backbone":
            raise MGCError(
                f"The checkpoint's backbone is {names}, of a module that you did not name. If you trust it: {remedy}"
            )
        report.append(f"{key} names {names}, of a module that you did not name; the config's is used. Or: {remedy}")
    return kept, report


def _harmless(backbone: Any) -> Any:
    """Let a registered backbone refuse or change what a file gives it; see `encoders.registry.stored_arguments`."""
    if not isinstance(backbone, Mapping):
        return backbone
    cls = BACKBONES.get(str(backbone.get("class_path", "")).rpartition(".")[2])
    if cls is None or not isinstance(backbone.get("init_args"), Mapping):
        return backbone
    return {**backbone, "init_args": stored_arguments(cls, backbone["init_args"])}


def foreign_names(tree: Any, imports: Sequence[str] = ()) -> Iterator[str]:
    """Give every string that could be imported, and is neither ours nor of a module that the user named.

    Example:
        >>> list(foreign_names({"class_path": "antigravity.Net", "init_args": {"path": "nets.npz", "depth": 18}}))
        ['antigravity.Net']
        >>> list(foreign_names([{"class_path": "mgc_lightning.encoders.ResNet"}, "antigravity.Net"], ["antigravity"]))
        []
    """
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == "class_path":
                yield from [] if _named(str(value), imports) else [str(value)]
            else:
                yield from foreign_names(value, imports)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from foreign_names(value, imports)
    elif isinstance(tree, str) and _IMPORTABLE.fullmatch(tree) and not _named(tree, imports):
        # A class may also be given as its name alone, where a file's name could stand: what is not there is none.
        yield from [tree] if _exists(tree.partition(".")[0]) else []


def _named(name: str, imports: Sequence[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in ("mgc_lightning", *imports))


def _exists(package: str) -> bool:
    # Looks for the file; imports nothing.
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return True
