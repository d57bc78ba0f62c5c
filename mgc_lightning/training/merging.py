"""What a later config or value does to what earlier ones said: mappings are merged, and what is dropped is told."""

from __future__ import annotations

import inspect
import logging
import pydoc
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from mgc_lightning.files.reading import excerpt

_CHANGE = re.compile(r"Due to class_path change from '([^']+)' to '([^']+)', discarding init_args: (.*)\.$", re.DOTALL)

drops = logging.getLogger(__name__)


class _Told(logging.Filter):
    """Let through what the parser says of arguments that a change of class drops, once, in a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if not logging.getLogger("mgc_lightning").isEnabledFor(logging.INFO):
            return False
        message = record.getMessage()
        if found := _CHANGE.search(message):
            old, new = (path.rpartition(".")[2] for path in found.groups()[:2])
            if not (dropped := _said(found[1], found[3])):
                return False
            message = f"{new} instead of {old} drops what was said of {old}: {excerpt(', '.join(dropped), 200)}"
        elif record.levelno < logging.INFO:
            return False
        if message in self.said:
            return False
        self.said.add(message)
        record.msg, record.args, record.levelno, record.levelname = message, (), logging.INFO, "INFO"
        return True


def listen() -> logging.Logger:
    """Give the logger of parsers: of what they say, it tells what is dropped, each line once a run."""
    for earlier in list(drops.filters):
        drops.removeFilter(earlier)
    drops.addFilter(_Told())
    drops.setLevel(logging.DEBUG)
    return drops


def merge_mapping(hint: Any, value: Any, previous: Any) -> Any:
    """Merge a mapping from names to anything, such as `objective.extra`, onto the one before it.

    Args:
        hint: type of the argument.
        value: what is given now; an entry that is null, where the type has no null, removes the earlier entry.
        previous: what was given before.

    Returns:
        The mapping of both, its entries not yet merged; `value` itself where one of the two is no mapping.

    Example:
        >>> merge_mapping(dict[str, int] | None, {"b": 2}, {"a": 1})
        {'a': 1, 'b': 2}
        >>> merge_mapping(dict[str, int], {"a": None}, {"a": 1})
        {}
    """
    kind = _mapping_hint(hint)
    if kind is None or not isinstance(value, Mapping) or not isinstance(previous, Mapping):
        return value
    both = {**previous, **value}
    entries = typing.get_args(kind)[1:]
    if not entries or type(None) in (entries[0], *typing.get_args(entries[0])):
        return both
    return {name: entry for name, entry in both.items() if entry is not None or name not in previous}


def remove_entry(hint: Any, argument: str, values: Any, name: str) -> bool:
    """Remove the entry that an argument such as `extra.same_person=null` names; False if it says something else.

    Example:
        >>> values = {"extra": {"same_person": 1}}
        >>> remove_entry(dict[str, int], "-" * 2 + "extra.same_person=null", values, "extra"), values
        (True, {'extra': {}})
    """
    key, _, value = argument.removeprefix(f"--{name}.").partition("=")
    before = values.get(name)
    if value not in ("null", "None") or not isinstance(before, Mapping) or key not in before:
        return False
    merged = merge_mapping(hint, {key: None}, before)
    if key in merged:
        return False
    values[name] = merged
    return True


def tell_list(key: str, value: Any, previous: Any) -> None:
    """Tell which classes of a list, such as callbacks, a later list drops.

    Example:
        >>> tell_list("callbacks", [{"class_path": "A"}], [{"class_path": "A"}, {"class_path": "my.B"}])
    """
    if any(isinstance(each, str) or not isinstance(each, Sequence) for each in (previous, value)):
        return
    left = [name for name in map(_class_name, value) if name]
    dropped = [name for name in map(_class_name, previous) if name and name not in left]
    if dropped:
        drops.info("The new list of `%s` drops %s; `%s+` would add to the list", key, ", ".join(dropped), key)


def any_of(kind: type, callbacks: Any) -> bool:
    """Tell whether a config has a callback of a kind.

    Example:
        >>> any_of(dict, [{"class_path": "builtins.dict"}]), any_of(dict, None)
        (True, False)
    """
    return any(_is_a(kind, spec) for spec in (callbacks if isinstance(callbacks, list) else ()))


def without(kind: Any, callbacks: Any, switch: str) -> Any:
    """Leave the callbacks of a kind out of a config's, since a switch of the trainer says so, and tell it.

    Example:
        >>> without(dict, [{"class_path": "builtins.dict"}, {"class_path": "builtins.int"}], "enable_dicts")
        [{'class_path': 'builtins.int'}]
    """
    left = []
    for spec in callbacks if isinstance(callbacks, list) else ():
        if _is_a(kind, spec):
            drops.info("`%s` is false: %s is left out", switch, _class_name(spec))
        else:
            left.append(spec)
    return left if isinstance(callbacks, list) else callbacks


def _is_a(kind: Any, spec: Any) -> bool:
    found = pydoc.locate(str(spec["class_path"]))
    return isinstance(found, type) and issubclass(found, kind)


def _mapping_hint(hint: Any) -> Any:
    """Give the mapping type in a type, such as that of `dict[str, int] | None`."""
    for kind in typing.get_args(hint) if _is_union(hint) else (hint,):
        if isinstance(origin := typing.get_origin(kind) or kind, type) and issubclass(origin, Mapping):
            return kind
    return None


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _class_name(spec: Any) -> str | None:
    path = spec if isinstance(spec, str) else spec.get("class_path") if hasattr(spec, "get") else None
    return path.rpartition(".")[2] if isinstance(path, str) else None


def _said(class_path: str, arguments: str) -> list[str]:
    """Name the arguments of a class that differ from its defaults, as the parser prints them.

    Example:
        >>> _said("torch.optim.Adam", "{'lr': 0.01, 'eps': 1e-08, 'betas': [0.5, 0.9]}")
        ['lr', 'betas']
    """
    kind = pydoc.locate(class_path)
    try:
        parameters = dict(inspect.signature(kind).parameters) if callable(kind) else {}
    except ValueError:
        parameters = {}
    found = re.findall(r"(?:^\{|, )'(\w+)': ", arguments)
    text = arguments.replace("(", "[").replace(")", "]")  # tuples may be lists by now
    plain = {name: repr(each.default).replace("(", "[").replace(")", "]") for name, each in parameters.items()}
    return [name for name in found if f"'{name}': {plain.get(name, '')}" not in text or name not in plain]
