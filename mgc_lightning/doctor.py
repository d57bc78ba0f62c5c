"""What this machine offers, what is missing, and the remedy: the checks behind `mgc doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import netrc
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlparse

from packaging.requirements import Requirement

from mgc_lightning.errors import MGCError
from mgc_lightning.files.places import cache_folder, configs_folder
from mgc_lightning.own_code import PLUGINS, hidden_packages

# Checks import what they look at, so that the others still work where it is broken.

DISTRIBUTION = "mgc-lightning"


class State(Enum):
    """How a check ended."""

    GOOD = "good"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True)
class Check:
    """Tell one finding.

    Attributes:
        name: what was looked at.
        state: good; absent (optional, not there); broken (required, or there and unusable).
        detail: what was found.
        remedy: what to do; empty if there is nothing to do.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


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


def is_healthy(sections: dict[str, list[Check]]) -> bool:
    """Tell whether everything that is required works.

    Example:
        >>> absent = Check("timm", State.ABSENT, "not installed", "pip install 'mgc-lightning[timm]'")
        >>> is_healthy({"Extras": [absent]}), is_healthy({"Packages": [Check("torch", State.BROKEN, "1.9")]})
        (True, False)
    """
    return all(check.state is not State.BROKEN for checks in sections.values() for check in checks)


def _guarded(title: str, run: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(run())
    except Exception as error:  # a doctor who faints helps nobody
        return [Check(title, State.BROKEN, f"{type(error).__name__}: {error}", "please report this")]


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
            yield Check(f"`{name}`", State.GOOD, str(Path(__file__).resolve().parents[1] / name))
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


def check_devices() -> Iterable[Check]:
    """List processors and accelerators."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("CPU", State.GOOD, f"{cores} cores, torch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        reason = f"torch is built for CUDA {built}, but finds no device" if built else "torch is a CPU build"
        remedy = "check the driver with nvidia-smi" if built else "https://pytorch.org/get-started has CUDA builds"
        yield Check("CUDA", State.ABSENT, reason, remedy)
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        bf16 = ", bf16" if device.major >= 8 else ""
        size = f"{device.total_memory / 2**30:.0f} GiB"
        detail = f"{device.name}, {size}, compute {device.major}.{device.minor}{bf16}"
        yield Check(f"cuda:{index}", State.GOOD, detail)


def check_rasterizers() -> Iterable[Check]:
    """Ask every backend whether it works on each device; one that works on the CPU is required."""
    import torch

    from mgc_lightning.rendering.rasterizers import available_rasterizers

    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        reasons = available_rasterizers(device)
        works = [name for name, reason in reasons.items() if reason is None]
        yield Check(
            f"on {device}",
            State.GOOD if works else State.BROKEN,
            ", ".join(works) or "; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
            "" if works else "pip install numba" if device == "cpu" else "pip install triton",
        )


def check_face_models() -> Iterable[Check]:
    """Load every face model that has a name here; the embedded one is required."""
    from mgc_lightning.face_models import available_face_models, load_face_model

    for position, (name, path) in enumerate(available_face_models().items()):
        try:
            model = load_face_model(name)
            layout = model.layout
            detail = (
                f"{model.num_verts} vertices, {layout.identity} identity, {layout.expression} expression, "
                f"{layout.albedo} albedo; {model.licence}"
            )
            yield Check(name, State.GOOD, detail)
        except MGCError as error:
            remedy = f"reinstall {DISTRIBUTION}" if position == 0 else f"remove {path} and convert it again"
            yield Check(name, State.BROKEN, str(error), remedy)


def check_wandb() -> Iterable[Check]:
    """Tell where runs go; the key itself is neither read into the report nor used."""
    mode = os.environ.get("WANDB_MODE", "online").lower()
    if mode in ("offline", "dryrun", "disabled"):
        yield Check("mode", State.GOOD, f"{mode} (WANDB_MODE={mode}); upload later with `wandb sync PATH`")
    elif _has_wandb_key():
        yield Check("mode", State.GOOD, "online, a key is configured")
    else:
        remedy = "`wandb login` uploads them; `wandb sync PATH` uploads a run afterwards"
        yield Check("mode", State.ABSENT, "no key: runs are kept offline", remedy)


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def report_lines(sections: dict[str, list[Check]], unicode: bool = True) -> list[str]:
    """Write the checks as lines: a mark, the name, what was found, the remedy on a line of its own.

    Example:
        >>> timm = Check("timm", State.ABSENT, "not installed", "pip install timm")
        >>> checks = [Check("torch", State.GOOD, "2.9.0"), timm]
        >>> print(*report_lines({"Packages": checks}, unicode=False), sep=chr(10))
        Packages
          ok torch  2.9.0
           - timm   not installed
                   -> pip install timm
        Everything required works.
    """
    marks = {State.GOOD: "✓", State.ABSENT: "-", State.BROKEN: "✗"}
    plain = {State.GOOD: "ok", State.ABSENT: " -", State.BROKEN: "XX"}
    lines = []
    for title, checks in sections.items():
        lines.append(title)
        width = max((len(check.name) for check in checks), default=0)
        for check in checks:
            mark = (marks if unicode else plain)[check.state]
            lines.append(f"  {mark} {check.name:<{width}}  {check.detail}")
            if check.remedy:
                lines.append(f"    {'':<{width}}  {'→' if unicode else '->'} {check.remedy}")
    broken = sum(check.state is State.BROKEN for checks in sections.values() for check in checks)
    lines.append("Everything required works." if not broken else f"{broken} required things are broken.")
    return lines
