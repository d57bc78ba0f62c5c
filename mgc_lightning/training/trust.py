"""What a checkpoint may bring into an evaluation: plain values of known names, classes of ours, those the user names.

A checkpoint is not a config. Its hyperparameters are read key by key here, before anything is made of them: text is
never interpolated (`${oc.env:SECRET}`), nothing is imported, and a class is one of our registry, or of a module that
the user named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

from mgc_lightning.encoders.registry import BACKBONES, class_path, stored_arguments
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import available_face_models
from mgc_lightning.files.allowance import TensorAllowance
from mgc_lightning.files.reading import excerpt, reason
from mgc_lightning.networks.face_network import LARGEST_IMAGE

OURS = "mgc_lightning."
PUBLIC = ("mgc_lightning.losses", "mgc_lightning.recognisers", "mgc_lightning.networks.output_scaling")
"""Modules whose classes an objective, or an output scaling, may name."""
LONGEST, MOST_VALUES, DEEPEST = 200, 2000, 16
"""Characters of a text, values of an entry, nested lists and dictionaries."""
_IMPORTABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def trusted(
    stored: Mapping[str, Any], current: Mapping[str, Any], defaults: Mapping[str, Any], imports: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Leave out of a checkpoint's hyperparameters what an evaluation does not need, or should not take from a file.

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
        >>> stored = {"image_size": 96, "focal": "${oc.env:HOME}", "init": "start.ckpt", "optimizer": "os.system"}
        >>> current = {"image_size": 224, "focal": 4700.0, "init": None, "optimizer": None}
        >>> kept, report = trusted(stored, current, current, imports=[])
        >>> kept, len(report)  # a training starts from `init` and has an optimiser; no text is a focal length
        ({'image_size': 96}, 1)
    """
    kept, report = {}, []
    for key, value in stored.items():
        if key not in KNOWN:  # an evaluation has no use for it
            continue
        if current.get(key) != defaults.get(key):
            kept[key] = value  # only compared, and told
            continue
        foreign = sorted(set(foreign_names(value, imports)))
        if foreign:
            remedy = f"`imports={sorted({name.rpartition('.')[0] or name for name in foreign})!r}`"
            names = ", ".join(f"`{excerpt(name)}`" for name in foreign)
            if key == "backbone":
                raise MGCError(
                    f"The checkpoint's backbone is {names}, of a module that you did not name. If you trust it: "
                    f"{remedy}"
                )
            report.append(f"{key} names {names}, of a module that you did not name; the config's is used. Or: {remedy}")
            continue
        try:
            _check_plain(value)
            kept[key] = KNOWN[key](value, report)
        except MGCError as error:
            if key == "backbone":
                raise MGCError(f"The checkpoint's backbone: {error}") from error
            report.append(f"{key} is not taken over, {error}; the config's is used.")
    return kept, report


def foreign_names(tree: Any, imports: Sequence[str] = ()) -> Iterator[str]:
    """Give the names of classes that are neither ours nor of a module that the user named.

    Example:
        >>> list(foreign_names({"class_path": "antigravity.Net", "init_args": {"depth": 18}}))
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
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return True


def _check_plain(tree: Any, depth: int = 0, count: list[int] | None = None) -> None:
    """Make sure that a value is numbers and short texts, in lists and dictionaries of few.

    Raises:
        MGCError: if it is not.
    """
    count = [0] if count is None else count
    count[0] += 1
    if count[0] > MOST_VALUES or depth > DEEPEST:
        raise MGCError("it is larger than hyperparameters are")
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            _check_plain(str(key), depth + 1, count)
            _check_plain(value, depth + 1, count)
    elif isinstance(tree, list | tuple):
        for value in tree:
            _check_plain(value, depth + 1, count)
    elif isinstance(tree, str):
        if "${" in tree or len(tree) > LONGEST or not tree.isprintable():
            raise MGCError(f"it holds the text {excerpt(repr(tree))}, which no hyperparameter is")
    elif isinstance(tree, float):
        if not isfinite(tree):
            raise MGCError(f"it holds {tree}")
    elif not (tree is None or isinstance(tree, bool | int)):
        raise MGCError(f"it holds a {type(tree).__name__}")


def _within(least: float, most: float) -> Callable[[Any, list[str]], Any]:
    def number(value: Any, told: list[str]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise MGCError(f"it is {excerpt(repr(value))} and no number of {least:g} to {most:g}")
        return value

    return number


def _word(value: Any, told: list[str]) -> Any:
    if not isinstance(value, str):
        raise MGCError(f"it is {excerpt(repr(value))} and no word")
    return value


def _face_model(value: Any, told: list[str]) -> Any:
    """Take a name that is known here, or a file that is here; the network says whether it is the right one."""
    name = str(_word(value, told))
    if name.partition("@")[0] not in available_face_models() and not Path(name).is_file():
        raise MGCError(f"there is no face model {name!r} here")
    return name


def _backbone(value: Any, told: list[str]) -> Any:
    """Let a registered backbone refuse or change what a file gives it; see `encoders.registry.stored_arguments`."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("class_path"), str):
        raise MGCError(f"expected a class and its arguments, got {excerpt(repr(value))}")
    path, init_args = value["class_path"], value.get("init_args") or {}
    if not path.startswith(OURS):
        return value
    cls = BACKBONES.get(path.rpartition(".")[2])
    if cls is None or not isinstance(init_args, Mapping):
        raise MGCError(f"`{excerpt(path)}` is no backbone; there are {', '.join(sorted(BACKBONES))}")
    return {"class_path": class_path(cls), "init_args": stored_arguments(cls, init_args)}


def check_size(backbone: Any, numbers: int) -> None:
    """Build a backbone of ours once for trial, with no more memory than a checkpoint's weights justify.

    Args:
        backbone: what `trusted` kept.
        numbers: that it may hold.

    Raises:
        MGCError: if it is larger, or cannot be built.

    Example:
        >>> backbone = {"class_path": "mgc_lightning.encoders.resnet.ResNet", "init_args": {"width": 4096}}
        >>> check_size(backbone, 10**6)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: The checkpoint's backbone cannot be built from {'width': 4096}: asks for ...
    """
    path = str(backbone["class_path"]) if backbone else ""
    if not path.startswith(OURS):
        return
    try:
        with TensorAllowance(numbers):
            BACKBONES[path.rpartition(".")[2]](**backbone["init_args"])
    except Exception as error:  # arguments of a stranger
        asked = excerpt(str(backbone["init_args"]), 200)
        raise MGCError(f"The checkpoint's backbone cannot be built from {asked}: {reason(error)}") from error


def _of_ours(value: Any, told: list[str]) -> Any:
    """Take settings, and losses of this package: no other of its classes."""
    for path in _class_paths(value):
        if path.startswith(OURS) and _public_class(path) is None:
            raise MGCError(f"`{excerpt(path)}` is no class of an objective")
    return value


def _objective(value: Any, told: list[str]) -> Any:
    """Take an objective; without its identity loss where the recogniser's file is not here."""
    value = _of_ours(value, told)
    held = value.get("init_args", value) if isinstance(value, Mapping) else {}
    if not isinstance(held, Mapping):
        raise MGCError(f"expected settings, got {excerpt(repr(held))}")
    missing = [text for text in _texts(held.get("identity")) if "/" in text or Path(text).suffix == ".safetensors"]
    missing = [text for text in missing if not Path(text).is_file()]
    if not missing:
        return value
    told.append(f"objective.identity is left out: its file {missing[0]!r} is not here.")
    without = {key: entry for key, entry in held.items() if key != "identity"}
    return {**value, "init_args": without} if "init_args" in value else without


def _public_class(path: str) -> type | None:
    name = path.rpartition(".")[2]
    for module in PUBLIC:
        found = getattr(import_module(module), name, None)
        if isinstance(found, type):
            return found if path in (f"{module}.{name}", class_path(found), f"mgc_lightning.{name}") else None
    return None


def _class_paths(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        if "class_path" in tree:
            yield str(tree["class_path"])
        for value in tree.values():
            yield from _class_paths(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _class_paths(value)
    elif isinstance(tree, str) and tree.startswith(OURS):
        yield tree


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)
    elif isinstance(tree, str):
        yield tree


KNOWN: dict[str, Callable[[Any, list[str]], Any]] = {
    "backbone": _backbone,
    "spatial_channels": _within(0, 4096),
    "face_model": _face_model,
    "face_model_level": _within(0, 8),
    "image_size": _within(1, LARGEST_IMAGE),
    "focal": _within(1e-3, 1e9),
    "output_scaling": _of_ours,
    "objective": _objective,
    "rasterizer": _word,
}
"""Hyperparameters that an evaluation takes over, and what makes sure of each."""
