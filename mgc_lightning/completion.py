"""`mgc completion`: what a shell completes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated, Any, Literal

from mgc_lightning.arguments.types import Metavar

Shell = Literal["bash", "zsh", "tcsh"]
"""Shells whose completion can be written."""
PROGRAMS = ("mgc", "lightning")


def completion(shell: Annotated[Shell, Metavar("SHELL")]) -> int:
    """Print a script that completes commands, flags, choices and names of configs in a shell.

    `eval "$(mgc completion bash)"` in ~/.bashrc; for zsh, `mgc completion zsh > ~/.zfunc/_mgc`, a folder of $fpath.

    Args:
        shell: which one.
    """
    from mgc_lightning.errors import require

    shtab = require("shtab", "completion")
    script = str(shtab.complete(_parser("mgc"), shell, preamble=_preamble()))
    if shell == "bash":  # the same program by its other name
        script += "complete -o filenames -F _shtab_mgc lightning\n"
    elif shell == "zsh":
        script = script.replace("#compdef mgc", "#compdef mgc lightning", 1)
    print(script)
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    """Make a plain parser of all commands, which is what completion is written from."""
    from mgc_lightning.cli import COMMANDS, TRAINING

    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--version", action="version", version="")
    words = parser.add_subparsers()
    for name, text in TRAINING.items():
        _training(words.add_parser(name, help=_plain(text)))
    for name, entry in COMMANDS.items():
        _add(words, name, entry)
    return parser


def _add(words: Any, name: str, entry: Any) -> None:
    from mgc_lightning.arguments.parser import CommandParser
    from mgc_lightning.cli import Command, load

    parser = words.add_parser(name, help=_plain(entry.help))
    if not isinstance(entry, Command):
        inner = parser.add_subparsers()
        for word, below in entry.commands.items():
            _add(inner, word, below)
        return
    function = load(entry)
    configs = entry.target.startswith("mgc_lightning.commands.config_")
    for option in CommandParser(function, name).known.values():
        settings: dict[str, Any] = {"help": _plain(option.text)}
        if option.hint is bool and option.flag:
            settings["action"] = "store_true"
        elif option.choices and not option.more.joined:
            settings |= {"choices": list(option.choices), "nargs": option.number}
        elif option.number and option.flag:
            settings["nargs"] = option.number
        action = parser.add_argument(option.flag or option.name, **settings)
        if option.element is Path or "Path" in str(option.element):
            action.complete = _files()
        elif configs and not option.flag:
            action.complete = _configs()


def _training(parser: argparse.ArgumentParser) -> None:
    from mgc_lightning.training.resolve import keys

    for flag, complete in (("--config", _configs()), ("--ckpt_path", _files()), ("--import", None)):
        action = parser.add_argument(flag, help="")
        if complete:
            action.complete = complete  # type: ignore[attr-defined]
    for flag in ("--print_config", "--help-all", "--quiet", "--verbose"):
        parser.add_argument(flag, action="store_true", help="")
    for key, choices in keys().items():
        parser.add_argument(f"--{key}", help="", choices=choices)


def _files() -> Any:
    from shtab import FILE

    return FILE


def _configs() -> Any:
    return {"bash": "_mgc_configs", "zsh": "_mgc_configs", "tcsh": "f:*.yaml"}


def _preamble() -> dict[str, str]:
    """Give the functions that complete names of configs: those of the package, and files."""
    from mgc_lightning.training.resolve import shipped_configs

    names = " ".join(shipped_configs())
    return {
        "bash": f'_mgc_configs() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}\n',
        "zsh": f"_mgc_configs() {{ compadd -- {names}; _files }}\n",
    }


def _plain(text: str) -> str:
    """Leave out what a shell would read as its own, and what argparse would fill in."""
    return "".join(letter for letter in text if letter not in "`\"'$%[]{}():\\|&;<>")
