"""What is typed at the training command line: configs by name, modules of the user's own."""

from __future__ import annotations

import ast
import json
import logging
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mgc_lightning.errors import MGCError, nearest
from mgc_lightning.files.places import configs_folder
from mgc_lightning.training.config_files import check_config, read_config

CONFIG_FLAGS = ("--config", "-c")
GROUPS = ("model", "trainer")
"""Keys whose values are no class of the user's choice: each of their own keys is an argument."""
UNRECOGNISED = "nrecognized arguments"
USAGE = """usage: lightning {0} --config NAME|FILE [--config ...] [--KEY=VALUE ...]
       keys and names: lightning {0} --help; every argument: lightning {0} --help-all"""
QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]


def find_config(name: str) -> Path:
    """Find a config by path, or by the name of a shipped one (`quickstart`, `trainers/bf16`, `configs/now.yaml`).

    `-` is what comes by standard input; it and what comes by a pipe are kept in a file, since a config is read twice,
    and by each process of a training.

    Raises:
        MGCError: if there is none, with the shipped names.

    Example:
        >>> find_config("quickstart").name
        'quickstart.yaml'
    """
    folder = configs_folder()
    if name == "-" or (Path(name).exists() and not Path(name).is_file() and not Path(name).is_dir()):
        return _kept(name)
    relative = Path(name)
    inside = Path(*relative.parts[1:]) if relative.parts[:1] == ("configs",) else relative
    for candidate in (relative, folder / inside, folder / f"{inside}.yaml"):
        if candidate.is_file():
            check_config(candidate)
            return candidate
    shipped = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob("**/*.yaml"))
    near = nearest(str(inside).removesuffix(".yaml"), shipped)
    hint = f" Did you mean `{near}`?" if near else ""
    raise MGCError(f"No config `{name}`: expected a path, or one of {', '.join(shipped)}.{hint}")


def _kept(name: str) -> Path:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    folder = Path(tempfile.mkdtemp(prefix="mgc-config-"))  # it stays: the command that goes on with a run names it
    path = folder / ("stdin.yaml" if name == "-" else "pipe.yaml")
    path.write_bytes(data)
    check_config(path)
    for index, argument in enumerate(sys.argv):  # what Lightning starts other processes with
        flag, equals, value = argument.partition("=")
        if flag in CONFIG_FLAGS and equals and value == name:
            sys.argv[index] = f"{flag}={path}"
        elif argument == name and sys.argv[index - 1] in CONFIG_FLAGS:
            sys.argv[index] = str(path)
    return path


def resolve_configs(arguments: list[str]) -> list[str]:
    """Replace the names of shipped configs by their paths.

    Example:
        >>> [part.rsplit("/", 1)[-1] for part in resolve_configs(["--config", "quickstart", "--trainer.max_epochs=1"])]
        ['--config', 'quickstart.yaml', '--trainer.max_epochs=1']
    """
    resolved = list(arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in CONFIG_FLAGS and equals:
            resolved[index] = f"{flag}={find_config(value)}"
        elif flag in CONFIG_FLAGS and index + 1 < len(arguments):
            resolved[index + 1] = str(find_config(arguments[index + 1]))
    return resolved


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


def expand_groups(arguments: list[str]) -> list[str]:
    """Turn a mapping, or a file, that is given for the whole model or trainer into one argument a key.

    The parser takes such a mapping for all that there is to say; W&B sends them in nested sweeps.

    Example:
        >>> expand_groups(["fit", "--model={'objective': {'weights': {'pixel': 0.7}}, 'focal': 1015.0}"])
        ['fit', '--model.objective={"weights": {"pixel": 0.7}}', '--model.focal=1015.0']
    """
    expanded: list[str] = []
    left = iter(arguments)
    for argument in left:
        flag, equals, text = argument.partition("=")
        if flag.removeprefix("--") not in GROUPS or not flag.startswith("--"):
            expanded.append(argument)
            continue
        text = text if equals else next(left, "")
        values = _mapping(text)
        if values is None or "class_path" in values:
            expanded.append(f"{flag}={text}")
        else:
            expanded += [f"{flag}.{key}={_typed(value)}" for key, value in values.items()]
    return expanded


def take_verbosity(arguments: Sequence[str]) -> tuple[list[str], int]:
    """Take `-q` and `-v` out of a command line; quiet is -1, verbose 1.

    Example:
        >>> take_verbosity(["fit", "-q", "--config", "quickstart"])
        (['fit', '--config', 'quickstart'], -1)
    """
    words = {"-q": -1, "--quiet": -1, "-v": 1, "--verbose": 1}
    given = [words[argument] for argument in arguments if argument in words]
    return [argument for argument in arguments if argument not in words], max(-1, min(1, sum(given)))


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


def _mapping(text: str) -> dict[str, Any] | None:
    if text.endswith((".yaml", ".yml", ".json")) and Path(text).is_file():
        return read_config(Path(text))
    for read in (ast.literal_eval, yaml.safe_load):  # Python's own words, as W&B writes them, or YAML
        try:
            values = read(text)
        except (ValueError, SyntaxError, yaml.YAMLError, RecursionError, MemoryError):
            continue
        if isinstance(values, dict):
            return values
    return None


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
