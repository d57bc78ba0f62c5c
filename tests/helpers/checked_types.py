"""Annotations checked at every call: jaxtyping's import hook with beartype, on all modules that it can instrument."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Self, TypeVar, get_args, get_origin

import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import TypeCheckError, install_import_hook
from numpy._typing._nested_sequence import _NestedSequence

ROOT = Path(__file__).parents[2]
PACKAGES = ("mgc_lightning", "datamodules", "callbacks")
COMPILED = ("@njit", "@numba.njit", "@triton.jit")
"""Decorators that compile a function from its source, which must then be a plain function."""
CALLERS = "sys._getframe"
"""What a function that looks at its caller uses: a check would stand between the two."""


class PlainModules:
    """Import some modules as they are: a finder that goes before jaxtyping's."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name in self.names else None


def install() -> None:
    """Instrument the packages.

    Raises:
        RuntimeError: if a module is imported already, and would go unchecked.
    """
    early = sorted(name for name in sys.modules if name.split(".")[0] in PACKAGES)
    if early:
        raise RuntimeError(f"Imported before their types could be checked: {early}")
    install_import_hook(PACKAGES, f"{__name__}.check")
    sys.meta_path.insert(0, PlainModules(plain_modules()))
    pytest.raises = expecting_errors(pytest.raises)


def plain_modules() -> set[str]:
    """Name the modules with compiled kernels, or with functions that ask who calls them."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if any(decorator in path.read_text(encoding="utf-8") for decorator in (*COMPILED, CALLERS))
    }


class Expected:
    """Expect an error, and skip the test where an annotation refuses the wrong input before the code that is tested."""

    def __init__(self, raises: Any) -> None:
        self.raises = raises

    def __enter__(self) -> Any:
        return self.raises.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> Any:
        if isinstance(error, TypeCheckError):
            pytest.skip("an annotation forbids this input")
        return self.raises.__exit__(kind, error, trace)


def expecting_errors(raises: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `pytest.raises`; a program that ends is expected to end for another reason than its types."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        found = raises(*arguments, **options)
        return found if SystemExit in arguments or not hasattr(found, "__exit__") else Expected(found)

    return wrapped


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let beartype check a function. As for mypy, an int passes for a float; what has no run-time check passes."""
    for name, hint in function.__annotations__.items():
        if _unseen(hint):
            function.__annotations__[name] = Any
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)


def _unseen(hint: Any) -> bool:
    """Tell whether a hint has `Self`, whose class a function does not know, or a protocol for type checkers alone.

    numpy's `ArrayLike` is one: at run time a tuple, which has no `__reversed__`, is no sequence of its kind.
    """
    if get_origin(hint) is _NestedSequence:
        return True
    if getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False):
        return True
    parts = (hint.__bound__,) if isinstance(hint, TypeVar) else get_args(hint)
    return hint is Self or any(map(_unseen, parts))
