"""Lightning checkpoints, read safely, and their hyperparameters beside a config's."""

from __future__ import annotations

import pickle
import pydoc
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.checksum import check_archive
from mgc_lightning.files.reading import excerpt, reason


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a Lightning checkpoint on the CPU without running anything that it contains.

    Its archive is read through first, and compared with the checksums that torch has written there.

    Raises:
        MGCError: if there is no such file, it is damaged, no checkpoint, or holds more than tensors and plain values.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "last.ckpt"
        >>> torch.save({"state_dict": {"weight": torch.ones(2)}, "global_step": 300}, path)
        >>> read_checkpoint(path)["global_step"]
        300
    """
    file = Path(path)
    if not file.is_file():
        raise MGCError(f"No checkpoint at `{path}`.")
    check_archive(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise MGCError(
            f"`{path}` is not a checkpoint of this program: it is damaged, or holds objects besides tensors and plain "
            "values, which could run code and are not read"
        ) from error
    except Exception as error:  # the restricted unpickler and the archive's reader raise many kinds
        raise MGCError(f"`{path}` is not a checkpoint of this program: {reason(error)}") from error
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, Mapping):
        raise MGCError(f"`{path}` is not a Lightning checkpoint: expected a dictionary with `state_dict`.")
    odd = next((key for key, value in state.items() if not isinstance(key, str) or not isinstance(value, Tensor)), None)
    if odd is not None:
        raise MGCError(f"`{path}`: `state_dict` holds {excerpt(repr(odd))}, which is no tensor with a name")
    return checkpoint


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested dictionaries to dotted keys.

    Example:
        >>> flatten({"a": {"b": 1}, "c": [2]})
        {'a.b': 1, 'c': [2]}
    """
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree} if prefix else {}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def reconcile(
    stored: dict[str, Any], current: dict[str, Any], defaults: dict[str, Any], adopt: bool
) -> tuple[dict[str, Any], list[str]]:
    """Compare a checkpoint's hyperparameters with a config's, top-level entry by entry.

    Args:
        stored: of the checkpoint.
        current: of the config and the command line.
        defaults: of the program.
        adopt: take the checkpoint's entry where the config leaves the default; else the config always holds.

    Returns:
        The hyperparameters to use, and one line for every difference.

    Example:
        >>> stored, config = {"image_size": 96, "focal": 4700.0}, {"image_size": 224, "focal": 4700.0}
        >>> used, lines = reconcile(stored, config, defaults={"image_size": 224, "focal": 4700.0}, adopt=True)
        >>> used["image_size"], len(lines)
        (96, 1)
    """
    used, report = dict(current), []
    for key in sorted(stored.keys() & current.keys()):
        theirs, ours = flatten({key: stored[key]}), flatten({key: current[key]})
        taken = adopt and current[key] == defaults.get(key)
        for name in sorted(theirs.keys() | ours.keys()):
            if not _agree(name, theirs.get(name), ours.get(name)):
                who = "the checkpoint's is used, the config does not set it" if taken else "the config's is used"
                there, here = (excerpt(repr(values.get(name)), 120) for values in (theirs, ours))
                report.append(f"{excerpt(name)} is {there} there and {here} in the config; {who}.")
        if taken:
            used[key] = stored[key]
    return used, report


def _agree(name: str, theirs: Any, ours: Any) -> bool:
    """Compare two entries; a class has the name of its file and those of the packages that offer it."""
    if theirs == ours or not name.endswith("class_path"):
        return bool(theirs == ours)
    package, _, kind = str(theirs).rpartition(".")
    cls = pydoc.locate(str(ours))
    # The config's class is imported anyhow; for the checkpoint's sake nothing is: its package must hold that class.
    inside = f"{getattr(cls, '__module__', '')}.".startswith(f"{package}.")
    return inside and getattr(sys.modules.get(package), kind, None) is cls
