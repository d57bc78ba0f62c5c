"""Code of the user's own: modules that they name, the folder they work in, and folders of theirs that hide ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mgc_lightning.errors import MGCError

PLUGINS = ("mgc_lightning", "datamodules", "callbacks")
"""Our packages: a project may well have folders of the same names."""


def add_working_folder() -> None:
    """Let modules of the working folder be imported, after everything else.

    Python does so for `python script.py`, at the front; a console script has only its own folder. At the end, because
    a project's own `callbacks/` must not hide ours.
    """
    folder = os.getcwd()
    if "" not in sys.path and folder not in sys.path:
        sys.path.append(folder)


def import_modules(names: Sequence[str]) -> list[ModuleType]:
    """Import the modules that a user named, so that what they define can be built.

    Args:
        names: such as `my_nets` or `my_project.nets`.

    Raises:
        MGCError: if one is no module's name, is not to be found, or fails.

    Example:
        >>> [module.__name__ for module in import_modules(["json", "collections.abc"])]
        ['json', 'collections.abc']
        >>> import_modules(["my_net"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...
    """
    return [_import(name) for name in ([names] if isinstance(names, str) else names)]


def _import(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        hint = Path(name).stem if name.endswith(".py") else "my_nets"
        raise MGCError(f"Expected the name of a module to import, such as `{hint}`, got {name!r}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise MGCError(f"The module `{name}` needs `{error.name}`, which is not installed") from error
        raise MGCError(
            f"There is no module `{error.name}`: looked in {os.getcwd()} and where Python looks. Call the program from "
            "the folder that holds it, or set PYTHONPATH"
        ) from error
    except Exception as error:  # it is not our code
        raise MGCError(f"The module `{name}` could not be imported ({type(error).__name__}: {error})") from error


@dataclass(frozen=True)
class HiddenPackage:
    """Tell that two packages have one name, and Python imports one of them.

    Attributes:
        name: of both.
        found: the file that Python imports.
        hidden: the file that it does not.
        ours: whether the hidden one is ours.
    """

    name: str
    found: Path
    hidden: Path
    ours: bool

    @property
    def detail(self) -> str:
        """What was found."""
        if self.ours:
            return f"is {self.found} here, which hides ours, {self.hidden}"
        return (
            f"is ours, {self.found}, which hides {self.hidden}; for a script in that folder, and `python -m`, yours "
            "hides ours"
        )

    @property
    def remedy(self) -> str:
        """What to do."""
        if self.ours:
            return (
                "rename yours; or call `mgc` or `lightning` instead of `python -m`, and leave its folder out of "
                "PYTHONPATH"
            )
        return "rename yours"


def hidden_packages() -> list[HiddenPackage]:
    """Find packages of the working folder or of the path that have the names of ours."""
    root, hidden = Path(__file__).resolve().parents[1], []
    for name in PLUGINS:
        ours = root / name / "__init__.py"
        found = _where(name)
        if found is not None and found != ours:
            hidden.append(HiddenPackage(name, found, ours, ours=True))
            continue
        places = _candidates(Path.cwd(), name)
        own = next((place for place in places if _holds_code(place) and not _same(place, ours)), None)
        if own is not None:
            hidden.append(HiddenPackage(name, ours, own, ours=False))
    return hidden


def explain_missing(message: str) -> str | None:
    """Explain an error that mentions one of our packages where another one has its name; None if that is not why."""
    reasons = [
        f"`{package.name}` {package.detail}: {package.remedy}."
        for package in hidden_packages()
        if f"{package.name}." in message
    ]
    return "\n".join(reasons) or None


def _candidates(folder: Path, name: str) -> tuple[Path, ...]:
    return folder / name / "__init__.py", folder / f"{name}.py", folder / name


def _holds_code(place: Path) -> bool:
    return place.is_file() or (place.is_dir() and next(place.glob("*.py"), None) is not None)


def _same(place: Path, ours: Path) -> bool:
    return place.resolve() in (ours, ours.parent)


def _where(name: str) -> Path | None:
    module = sys.modules.get(name)
    try:
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
    except ValueError:
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve()
