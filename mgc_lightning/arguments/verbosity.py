"""How much a command says: `-q` and `-v`."""

from __future__ import annotations

import logging

PACKAGES = ("mgc_lightning", "datamodules", "callbacks")


def set_level(verbosity: int) -> None:
    """Show errors alone (-1), warnings (0), or all that our parts say of what they do (1 or more).

    Example:
        >>> set_level(-1), is_quiet()
        (None, True)
        >>> set_level(0), is_quiet()
        (None, False)
    """
    level = logging.ERROR if verbosity < 0 else logging.DEBUG if verbosity > 0 else logging.NOTSET
    if verbosity > 0:
        logging.basicConfig(format="%(message)s")
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)


def is_quiet() -> bool:
    """Tell whether bars of progress are unwanted."""
    return not logging.getLogger("mgc_lightning").isEnabledFor(logging.WARNING)
