"""What this machine offers, what is missing, and the remedy: the checks behind `mgc doctor`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from mgc_lightning.doctor.check import Check, State
from mgc_lightning.doctor.machine import check_devices, check_face_models, check_rasterizers
from mgc_lightning.doctor.packages import check_extras, check_packages
from mgc_lightning.doctor.program import check_program
from mgc_lightning.files.wandb_server import has_key

# Checks import what they look at, so that the others still work where it is broken.


def examine() -> dict[str, list[Check]]:
    """Run all checks, by section; never raises, never reaches the network."""
    sections: dict[str, Callable[[], Iterable[Check]]] = {
        "Program": check_program,
        "Packages": check_packages,
        "Optional packages": check_extras,
        "Devices": check_devices,
        "Rasterizers": check_rasterizers,
        "Face models": check_face_models,
        "Weights & Biases": check_wandb,
    }
    return {title: _guarded(title, run) for title, run in sections.items()}


def _guarded(title: str, run: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(run())
    except Exception as error:  # a doctor who faints helps nobody
        return [Check(title, State.BROKEN, f"{type(error).__name__}: {error}", "please report this")]


def check_wandb() -> Iterable[Check]:
    """Tell where runs go; the key itself is neither read into the report nor used."""
    mode = os.environ.get("WANDB_MODE", "online").lower()
    if mode in ("offline", "dryrun", "disabled"):
        yield Check("mode", State.GOOD, f"{mode} (WANDB_MODE={mode}); upload later with `wandb sync PATH`")
    elif has_key():
        yield Check("mode", State.GOOD, "online, a key is configured")
    else:
        remedy = "`wandb login` uploads them; `wandb sync PATH` uploads a run afterwards"
        yield Check("mode", State.ABSENT, "no key: runs are kept offline", remedy)
