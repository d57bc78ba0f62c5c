"""Errors that a user can mend: one clear message, no traceback on the command line."""

from __future__ import annotations

import importlib
from types import ModuleType


class MGCError(Exception):
    """Report bad input: what was expected, what came, which file or key, and the remedy."""


class MissingExtraError(MGCError, ImportError):
    """Report an optional dependency that is not installed, and the extra that brings it."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: dotted name of the module.
        extra: the extra of `mgc-lightning` that installs it.

    Raises:
        MissingExtraError: if the module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"`{module}` is needed here and could not be imported ({error}). "
            f"Install it with: pip install 'mgc-lightning[{extra}]'"
        ) from error
