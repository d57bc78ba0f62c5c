"""What is typed at the training command line: configs by name, modules of the user's own."""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path
from typing import Any

import yaml

from mgc_lightning.errors import MGCError, nearest
from mgc_lightning.files.places import configs_folder
from mgc_lightning.training.config_files import check_config

PARTS = ("--model", "--data", "--trainer")


def find_config(name: str) -> Path:
    """Find a config by path, or by the name of a shipped one (`quickstart`, `configs/quickstart.yaml`).

    Raises:
        MGCError: if there is none, with the shipped names.

    Example:
        >>> find_config("quickstart").name
        'quickstart.yaml'
    """
    folder = configs_folder()
    relative = Path(name)
    inside = Path(*relative.parts[1:]) if relative.parts[:1] == ("configs",) else relative
    for candidate in (relative, folder / inside, folder / f"{inside}.yaml"):
        if candidate.is_file():
            check_config(candidate)
            return candidate
    shipped = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob("**/*.yaml"))
    near = nearest(str(inside.with_suffix("")), shipped)
    hint = f" Did you mean `{near}`?" if near else ""
    raise MGCError(f"No config `{name}`: expected a path, or one of {', '.join(shipped)}.{hint}")


def resolve_configs(arguments: list[str]) -> list[str]:
    """Replace the names of shipped configs by their paths.

    Example:
        >>> [part.rsplit("/", 1)[-1] for part in resolve_configs(["--config", "quickstart", "--trainer.max_epochs=1"])]
        ['--config', 'quickstart.yaml', '--trainer.max_epochs=1']
    """
    resolved = list(arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-c") and equals:
            resolved[index] = f"{flag}={find_config(value)}"
        elif flag in ("--config", "-c") and index + 1 < len(arguments):
            resolved[index + 1] = str(find_config(arguments[index + 1]))
    return resolved


def spread_mappings(arguments: list[str]) -> list[str]:
    """Turn a mapping for a whole part of the config, which a nested sweep of W&B sends, into what it sets.

    As one value it would set everything beside that back to defaults.

    Example:
        >>> spread_mappings(["fit", "--model={'objective': {'weights': {'pixel': 0.7, 'ssim': None}}}"])
        ['fit', '--model.objective.weights.pixel=0.7', '--model.objective.weights.ssim=null']
    """
    spread: list[str] = []
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        mapping = _mapping(value) if equals and flag in PARTS else None
        spread += [argument] if mapping is None else _leaves(flag, mapping)
    return spread


def _mapping(text: str) -> dict[str, Any] | None:
    for read in (ast.literal_eval, yaml.safe_load):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, yaml.YAMLError):
            continue
        if isinstance(found, dict) and found and "class_path" not in found:
            return found
    return None


def _leaves(flag: str, value: Any) -> list[str]:
    """Go down to what is no mapping, or is a class with its arguments."""
    if isinstance(value, dict) and value and "class_path" not in value:
        return [leaf for key, inner in value.items() for leaf in _leaves(f"{flag}.{key}", inner)]
    return [f"{flag}={value if isinstance(value, str) else json.dumps(value)}"]


def gather_imports(arguments: list[str]) -> list[str]:
    """Make one list of all `--import MODULE`.

    Example:
        >>> gather_imports(["test", "--import", "my_nets", "--import=my_losses", "--print_config"])
        ['test', '--print_config', '--import=["my_nets", "my_losses"]']
    """
    modules: list[str] = []
    others: list[str] = []
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if flag != "--import":
            others.append(argument)
            continue
        value = value if equals else next(left, "")
        if value.startswith("["):
            return arguments
        modules.append(value)
    return [*others, f"--import={json.dumps(modules)}"] if modules else others


def in_flags(message: str) -> str:
    """Turn modules that are named as in Python into flags.

    Example:
        >>> in_flags("If you trust it: `imports=['my_nets', 'my_losses']`")
        'If you trust it: --import my_nets --import my_losses'
    """

    def flags(found: re.Match[str]) -> str:
        return " ".join(f"--import {word.strip()[1:-1]}" for word in found[1].split(","))

    return re.sub(r"`imports=\[([^\]]+)\]`", flags, message)


class InFlags(logging.Filter):
    """Show messages of the library as a user of this command line types what they name."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Reword a record of ours, and let every record through."""
        if record.name.startswith("mgc_lightning"):
            record.msg, record.args = in_flags(record.getMessage()), ()
        return True
