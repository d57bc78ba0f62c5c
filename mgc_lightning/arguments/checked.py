"""Settings that hold what their fields declare, whoever makes them: a command line, a config, Python."""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from mgc_lightning.arguments.types import Within
from mgc_lightning.errors import MGCError, check_choice, check_count, check_number, nearest

ANY = Within()


class Checked:
    """Base of settings dataclasses: what a field does not declare is refused, by the field's name.

    Checked are choices (`Literal`), numbers and their range (`Within`), yes and no, words, paths, several of these,
    and settings in settings. A class with more to check calls `super().__post_init__()` first.

    Example:
        >>> from mgc_lightning.arguments.types import Count
        >>> @dataclasses.dataclass(frozen=True)
        ... class Trip(Checked):
        ...     days: Count = 3
        >>> Trip(days=0)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `days` must be a whole number of at least 1; got 0
    """

    def __new__(cls, *args: Any, **named: Any) -> Self:
        """Refuse a name that is no field's, with the nearest that is one."""
        known = cls.__dataclass_fields__  # type: ignore[attr-defined]
        if wrong := next((name for name in named if name not in known), None):
            near = nearest(wrong, known)
            hint = f"Did you mean `{near}`?" if near else f"It has {', '.join(known)}"
            raise MGCError(f"{cls.__name__} has no `{wrong}`. {hint}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = _hints(typing.cast(Any, type(self)))
        for field in dataclasses.fields(typing.cast(Any, self)):
            check_value(field.name, getattr(self, field.name), hints[field.name])


@cache
def _hints(settings: Any) -> dict[str, Any]:
    return typing.get_type_hints(settings, include_extras=True)


def check_value(name: str, value: object, hint: Any, within: Within = ANY) -> None:
    """Make sure that an argument is what its type says.

    Args:
        name: of the argument.
        value: what was given.
        hint: its type; what this knows nothing of is let through.
        within: range of its numbers, where the type is inside an `Annotated`.

    Raises:
        MGCError: if it is not.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        found = next((extra for extra in hint.__metadata__ if isinstance(extra, Within)), within)
        check_value(name, value, hint.__origin__, found)
    elif origin in (typing.Union, types.UnionType):
        if Path in inner:
            _expect(name, value, str | os.PathLike, "a path")
        elif value is not None or type(None) not in inner:
            check_value(name, value, next(kind for kind in inner if kind is not type(None)), within)
    elif origin is typing.Literal:
        check_choice(name, value, hint)
    elif origin in (tuple, list, Sequence):
        _check_several(name, value, inner, within)
    elif hint is bool:
        _expect(name, value, bool, "True or False")
    elif hint is int:
        check_count(name, value, within.least, within.most)
    elif hint is float:
        check_number(name, value, within.least, within.most)
    elif isinstance(hint, type):
        _expect(name, value, hint, "text" if hint is str else f"{hint.__name__}(...)")


def _check_several(name: str, value: object, inner: tuple[Any, ...], within: Within) -> None:
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    number = None if Ellipsis in inner or len(inner) < 2 else len(inner)
    if not several or (number and len(value) != number):  # type: ignore[arg-type]
        raise MGCError(f"`{name}` must be {f'{number} values' if number else 'a list'}; got {value!r}")
    for element in value:  # type: ignore[attr-defined]
        check_value(name, element, inner[0], within)


def _expect(name: str, value: object, kind: Any, words: str) -> None:
    if not isinstance(value, kind):
        raise MGCError(f"`{name}` must be {words}; got {value!r}")
