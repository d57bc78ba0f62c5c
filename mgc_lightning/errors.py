"""Errors that a user can mend: one clear message, no traceback on the command line."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType


class MGCError(Exception):
    """Report bad input: what was expected, what came, which file or key, and the remedy.

    Arguments are named as in Python, in backticks: `box`, `same_person=True`. The command line shows them as its flags.
    """


class MissingExtraError(MGCError, ImportError):
    """Report an optional dependency that is not installed, and the extra that brings it."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: dotted name of the module.
        extra: the extra of `mgc-lightning` that installs it.

    Raises:
        MissingExtraError: if the module cannot be imported.

    Example:
        >>> require("json", "json").__name__
        'json'
        >>> require("no_such_module", "timm")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MissingExtraError: ... Install it with: pip install 'mgc-lightning[timm]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"`{module}` is needed here and could not be imported ({error}). "
            f"Install it with: pip install 'mgc-lightning[{extra}]'"
        ) from error


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Give the known word that is spelled most alike, if one is.

    Example:
        >>> nearest("face_aligment", ["face-alignment", "mediapipe"])
        'face-alignment'
    """
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def check_choice(name: str, value: object, choices: object) -> None:
    """Make sure that an argument is one of its choices.

    Args:
        name: of the argument.
        value: what was given.
        choices: the `Literal` that lists what is possible.

    Raises:
        MGCError: with the choices and the nearest of them.

    Example:
        >>> from typing import Literal
        >>> check_choice("view", "sides", Literal["frontal", "side"])
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `view` must be one of frontal, side; got 'sides'. Did you mean 'side'?
    """
    from typing import get_args

    if value not in get_args(choices):
        raise MGCError(not_among(f"`{name}`", value, get_args(choices)))


def not_among(name: str, value: object, known: Iterable[object]) -> str:
    """Say that an argument is none of its choices, and name the nearest of them.

    Example:
        >>> not_among("`view`", "fronta", ["frontal", "side"])
        "`view` must be one of frontal, side; got 'fronta'. Did you mean 'frontal'?"
    """
    words = [str(choice) for choice in known]
    near = nearest(str(value), words)
    hint = f". Did you mean {near!r}?" if near else ""
    return f"{name} must be one of {', '.join(words)}; got {value!r}{hint}"


def check_count(name: str, value: object, least: float | None = 1, most: float | None = None) -> None:
    """Make sure that an argument is a whole number in its range.

    Args:
        name: of the argument.
        value: what was given.
        least: the smallest that makes sense, if there is one.
        most: the largest, if there is one.

    Raises:
        MGCError: with the range.

    Example:
        >>> check_count("jobs", 1.5)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `jobs` must be a whole number of at least 1; got 1.5
    """
    from numbers import Integral

    _check_range(name, value, Integral, "a whole number", least, most)


def check_number(name: str, value: object, least: float | None = None, most: float | None = None) -> None:
    """Make sure that an argument is a number in its range; arguments as in `check_count`.

    Example:
        >>> check_number("noise", 2, 0, 1)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `noise` must be a number of 0 to 1; got 2
    """
    from numbers import Real

    _check_range(name, value, Real, "a number", least, most)


def _check_range(name: str, value: object, kind: type, words: str, least: float | None, most: float | None) -> None:
    from math import isfinite

    number = isinstance(value, kind) and not isinstance(value, bool)
    fits = number and (isinstance(value, int) or isfinite(value))  # type: ignore[arg-type]
    if not fits or (least is not None and value < least) or (most is not None and value > most):  # type: ignore[operator]
        low = f" of at least {_shown(least)}" if least is not None else ""
        span = f" of {_shown(least or 0)} to {_shown(most)}" if most is not None else low
        raise MGCError(f"`{name}` must be {words}{span}; got {value!r}")


def _shown(end: float) -> str:
    return str(int(end)) if end == int(end) and abs(end) < 1e10 else f"{end:.3g}"
