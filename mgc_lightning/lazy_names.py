"""Public names on demand (PEP 562): a package lists them in its stub, and a name's file is imported at its first use.

`lazy_loader.attach_stub` does the same by the syntax tree of the stub, whose parser costs every start of `mgc` 10 ms.
"""

from __future__ import annotations

import sys

# Of the standard library only what every interpreter has loaded: `typing` alone costs more than all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Give a package's `__getattr__`, `__dir__` and `__all__`.

    Args:
        package: its `__name__`.
        file: its `__file__`; beside it lies `__init__.pyi` with one line a name, `from .home import name as name`.

    Example:
        >>> import mgc_lightning.losses
        >>> mgc_lightning.losses.SamePersn
        Traceback (most recent call last):
        AttributeError: module `mgc_lightning.losses` has no `SamePersn`. Did you mean `SamePerson`?
    """
    homes: dict[str, str] = {}
    with open(f"{file}i", encoding="utf-8") as stub:
        for line in stub:
            if line.startswith("from ."):
                _, home, _, name, *_ = line.split()
                homes[name] = home

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name not in homes:
            raise _unknown(package, name, list(homes))
        # Imported here, as errors below: neither is needed to start.
        from importlib import import_module

        home = homes[name]
        value = import_module(f".{name}", package) if home == "." else getattr(import_module(home, package), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*homes, *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    return __getattr__, __dir__, sorted(homes)


def _unknown(package: str, name: str, names: list[str]) -> AttributeError | ImportError:
    from opcode import opmap

    from mgc_lightning.errors import nearest

    folded = {known.lower(): known for known in names}
    near = nearest(name.lower(), folded)
    hint = f" Did you mean `{folded[near]}`?" if near else ""
    # `from package import name` shows no AttributeError's message, but an ImportError's.
    caller = sys._getframe(2)
    if caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:
        return ImportError(f"cannot import `{name}` from `{package}`.{hint}", name=package)
    # With an object the interpreter would show a nearest name of its own behind ours.
    return AttributeError(f"module `{package}` has no `{name}`.{hint}", name=name, obj=None)
