"""Installed packages against those that are required, and the extras."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable

from packaging.requirements import Requirement

from mgc_lightning.doctor.check import Check, State
from mgc_lightning.doctor.program import DISTRIBUTION


def requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """Read the requirements of this distribution, and those of each extra."""
    always, extras = [], dict[str, list[Requirement]]()
    for text in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(text)
        named = [e for e in _extras() if requirement.marker and requirement.marker.evaluate({"extra": e})]
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            always.append(requirement)
            continue
        for extra in named:
            extras.setdefault(extra, []).append(requirement)
    return always, extras


def _extras() -> list[str]:
    return importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []


def check_packages() -> Iterable[Check]:
    """Compare what is installed with what is required."""
    always, _ = requirements()
    for requirement in sorted(always, key=lambda r: r.name.lower()):
        yield _check_version(requirement, State.BROKEN, f"pip install '{requirement}'")
    if importlib.util.find_spec("torchvision"):
        yield _check_torchvision()


def _check_version(requirement: Requirement, otherwise: State, remedy: str) -> Check:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Check(requirement.name, otherwise, "not installed", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return Check(requirement.name, State.GOOD, version)
    return Check(requirement.name, otherwise, f"{version}, needed is {requirement.specifier}", remedy)


def _check_torchvision() -> Check:
    """Import torchvision, which is not required, but breaks Lightning's import if it does not fit torch."""
    try:
        import torchvision
    except Exception as error:
        return Check(
            "torchvision",
            State.BROKEN,
            f"does not fit torch {importlib.metadata.version('torch')}: {error}",
            "pip uninstall torchvision, or install the build that belongs to your torch",
        )
    return Check("torchvision", State.GOOD, torchvision.__version__)


def check_extras() -> Iterable[Check]:
    """List the extras, complete or not, and PyTorch3D."""
    _, extras = requirements()
    for extra, needed in sorted(extras.items()):
        results = [_check_version(r, State.ABSENT, "") for r in needed]
        missing = [check.name for check in results if check.state is not State.GOOD]
        detail = f"missing: {', '.join(missing)}" if missing else ", ".join(f"{c.name} {c.detail}" for c in results)
        remedy = f"pip install '{DISTRIBUTION}[{extra}]'" if missing else ""
        yield Check(extra, State.ABSENT if missing else State.GOOD, detail, remedy)
    found = importlib.util.find_spec("pytorch3d") is not None
    yield Check(
        "pytorch3d",
        State.GOOD if found else State.ABSENT,
        importlib.metadata.version("pytorch3d") if found else "not installed; the native rasterizers do without it",
        "" if found else "conda env create -f environment.yml",
    )
