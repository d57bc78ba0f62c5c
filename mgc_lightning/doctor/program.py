"""Python, the installation, its commands, plug-ins and configs, the cache."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from mgc_lightning.doctor.check import Check, State
from mgc_lightning.files.places import cache_folder, configs_folder
from mgc_lightning.own_code import PLUGINS, hidden_packages

DISTRIBUTION = "mgc-lightning"


def check_program() -> Iterable[Check]:
    """Look at Python, the installation, the console scripts, the shipped configs, the cache."""
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    yield Check(
        "python",
        State.GOOD if good else State.BROKEN,
        f"{version} on {platform.platform()}",
        "" if good else "needs 3.11 or newer",
    )
    yield Check(DISTRIBUTION, State.GOOD, importlib.metadata.version(DISTRIBUTION))
    yield _check_console_script()
    yield from _check_plugins()
    configs = sorted(path.stem for path in configs_folder().glob("*.yaml"))
    yield Check(
        "shipped configs",
        State.GOOD if configs else State.BROKEN,
        ", ".join(configs) or f"none in {configs_folder()}",
        "" if configs else f"reinstall: pip install --force-reinstall {DISTRIBUTION}",
    )
    yield _check_cache()


def _check_console_script() -> Check:
    """See which program the name `lightning` starts: other distributions use it too."""
    found = shutil.which("lightning")
    if found is None:
        return Check("`lightning` command", State.ABSENT, "not on PATH", "use `mgc`, which is the same program")
    text = Path(found).read_bytes()[:4096]
    if b"mgc_lightning" in text:
        return Check("`lightning` command", State.GOOD, found)
    return Check(
        "`lightning` command",
        State.ABSENT,
        f"{found} belongs to another package",
        "use `mgc`, which is the same program as our `lightning`",
    )


def _check_plugins() -> Iterable[Check]:
    """See whether a folder of the user's own has the name of one of our packages."""
    found = {package.name: package for package in hidden_packages()}
    for name in PLUGINS:
        package = found.get(name)
        if package is None:
            yield Check(f"`{name}`", State.GOOD, str(Path(__file__).resolve().parents[2] / name))
        else:
            state = State.BROKEN if package.ours else State.ABSENT
            yield Check(f"`{name}`", state, package.detail, package.remedy)


def _check_cache() -> Check:
    folder = cache_folder()
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    writable = os.access(existing, os.W_OK)
    return Check(
        "cache folder",
        State.GOOD if writable else State.ABSENT,
        str(folder),
        "" if writable else "is not writable: set MGC_CACHE to a folder of yours",
    )
