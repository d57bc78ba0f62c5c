"""Arguments that are what their types declare, whoever gives them: a command line, a config, Python."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from mgc_lightning.arguments.types import Within
from mgc_lightning.errors import MGCError, check_choice, check_count, check_number, nearest

ANY = Within()


class Checked:
    """Base of settings dataclasses: what a field does not declare is refused, by the field's name.

    Checked are choices (`Literal`), numbers and their range (`Within`), yes and no, words, paths, several of these,
    and settings in settings. A class with more to check calls `super().__post_init__()` first.

    Example:
        >>> from mgc_lightning.evaluation import NoWSettings
        >>> NoWSettings(jobs=0)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `jobs` must be a whole number of at least 1; got 0
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


F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """Check what a function is given as `Checked` checks its fields, before it runs.

    Args:
        function: whose annotations say what it takes.

    Example:
        >>> from mgc_lightning.arguments.types import Count
        >>> @checked
        ... def work(jobs: Count = 1) -> None: ...
        >>> work(0)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `jobs` must be a whole number of at least 1; got 0
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checks_first(*args: Any, **named: Any) -> Any:
        try:
            given = signature.bind(*args, **named).arguments
        except TypeError:
            given = {}  # the call itself says what is wrong with it
        hints = _hints(function)
        for name, value in given.items():
            if name in hints:
                check_value(name, value, hints[name])
        return function(*args, **named)

    return typing.cast(F, checks_first)


@functools.cache
def _hints(annotated: Any) -> dict[str, Any]:
    return typing.get_type_hints(annotated, include_extras=True)


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
        if value is None and type(None) in inner:
            return
        if Path in inner:
            _expect(name, value, str | os.PathLike, "a path")
        else:
            _check_either(name, value, [kind for kind in inner if kind is not type(None)], within)
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
    elif hint is str:
        _expect(name, value, str, "text")
    elif isinstance(hint, type) and issubclass(hint, Checked):
        _expect(name, value, hint, f"{hint.__name__}(...)")


def _check_either(name: str, value: object, kinds: list[Any], within: Within) -> None:
    """Check the only kind, or a word that can be nothing but one of the choices among several kinds."""
    choices = next((kind for kind in kinds if typing.get_origin(kind) is typing.Literal), None)
    if len(kinds) == 1:
        check_value(name, value, kinds[0], within)
    elif choices is not None and isinstance(value, str) and str not in kinds:
        check_choice(name, value, choices)


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
