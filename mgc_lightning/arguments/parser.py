"""The command line of a function: jsonargparse's parser, filled from its signature and its docstring.

Names, types, choices and defaults are the function's; the `Args` and `Attributes` of docstrings are the help. What is
keyword-only becomes a flag, the rest positional arguments. A parameter that is a dataclass becomes flags, one a field,
whatever the depth: `prepare(..., settings: PrepareSettings)` takes `--min-scale`, which is
`settings.faces.limits.min_scale`.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import docstring_parser
import jsonargparse

from mgc_lightning.arguments.helpful import UNKNOWN, HelpfulParser
from mgc_lightning.arguments.signature import Option, read_arguments
from mgc_lightning.arguments.verbosity import set_level
from mgc_lightning.errors import MGCError

_VERBOSITY = (
    ("-q", "quiet", "show errors alone, and no bars of progress"),
    ("-v", "verbose", "show what is done in detail"),
)
_NAMED = re.compile(r"`([a-z]\w*)(?:=([^`]*))?`")
_BAD_VALUE = re.compile(r'Parser key "(\w+)"(?: element \d+)?:\s*(?:.*Got value: (.*))?', re.DOTALL)
_MISSING = re.compile(r"arguments are required: (.+)|(?:Key|Option) ['\"](\w+)['\"] is required")


class CommandParser(HelpfulParser, jsonargparse.ArgumentParser):
    """Parse the command line of a function.

    Args:
        function: what the command does, and gives the exit status; its docstring begins the help.
        prog: name of the command.

    Example:
        >>> def score(folder: str, *, jobs: int = 1) -> int:
        ...     '''Score a folder of meshes.'''
        ...     print(folder, jobs)
        ...     return 0
        >>> CommandParser(score, "mgc score").run(["meshes", "--jobs", "2"])
        meshes 2
        0
    """

    def __init__(self, function: Callable[..., int], prog: str) -> None:
        described = docstring_parser.parse(inspect.getdoc(function) or "")
        super().__init__(
            prog=prog,
            description=described.short_description,
            epilog=described.long_description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.arguments = read_arguments(function)
        self.known = {option.name: option for option in self.arguments.flat()}
        sections: dict[str, Any] = {"": self}
        for option in self.arguments.flat():
            if option.section not in sections:
                sections[option.section] = self.add_argument_group(option.section)
            _add(option, sections[option.section])
        for short, name, text in _VERBOSITY:
            self.add_argument(short, f"--{name}", action="store_true", help=text)

    def run(self, arguments: Sequence[str]) -> int:
        """Call the function with a command line, and give the exit status.

        Raises:
            MGCError: if an argument is wrong, or the function says so; arguments are named as a user types them.
        """
        values = vars(self.parse_args(list(arguments)))
        set_level(int(values["verbose"]) - int(values["quiet"]))
        try:
            return int(self.arguments.call(values) or 0)
        except MGCError as error:
            raise MGCError(self.in_flags(str(error))) from error

    def in_flags(self, message: str) -> str:
        """Turn arguments that are named as in Python, `box` or `same_person=True`, into flags of this command."""

        def flag(found: re.Match[str]) -> str:
            return self.known[found[1]].given(found[2]) if found[1] in self.known else found[0]

        return _NAMED.sub(flag, message)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with one message that names flags.

        Raises:
            MGCError: always.
        """
        try:
            super().error(message, ex)
        except MGCError as error:
            usage = f"\n{self.format_usage().rstrip()}" if UNKNOWN.search(message) else ""
            raise MGCError(self.in_flags(str(error)) + usage) from ex

    def valid(self) -> set[str]:
        """List the flags."""
        return {option.flag for option in self.known.values() if option.flag}

    def reword(self, message: str) -> str:
        """Say which argument is missing, or has a wrong value and what it takes."""
        if missing := _MISSING.search(message):
            names = (missing[1] or missing[2]).split(", ")
            return f"Missing: {', '.join(self.known[name].shown if name in self.known else name for name in names)}"
        bad = _BAD_VALUE.match(message)
        if bad and bad[1] in self.known:
            option = self.known[bad[1]]
            return f"{option.shown} must be {option.expected}" + (f"; got {bad[2].strip()!r}" if bad[2] else "")
        return message


def _words(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Split values that are joined by commas; what they can be is checked where they arrive.

    The parser validates what it has parsed once more.
    """
    if isinstance(text, tuple):
        return text
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _add(option: Option, container: Any) -> None:
    """Add an argument to a parser, or to a group of one."""
    settings: dict[str, Any] = {"help": option.help.replace("%", "%%")}
    if option.flag:
        settings["dest"] = option.name
        settings["required"] = option.default is dataclasses.MISSING
    if option.default is not dataclasses.MISSING:
        several = option.number and option.default is not None
        settings["default"] = list(option.default) if several else option.default
    if option.hint is bool:
        both = option.default or option.no in option.more.off
        settings["action"] = jsonargparse.ActionYesNo(no_prefix="no-") if both else "store_true"
    else:
        settings["type"] = _words if option.more.joined else option.element
        if option.number:
            settings["nargs"] = option.number
        if option.default == () and not option.choices:
            settings["action"] = "extend"  # given twice, it has the values of both
        words = option.metavar.split() or ["{" + ",".join(map(str, option.choices)) + "}"] * bool(option.choices)
        if words:
            settings["metavar"] = tuple(words) if len(words) > 1 else words[0]
    container.add_argument(option.flag or option.name, **settings)
    if option.more.earlier:
        container.add_argument(*option.more.earlier, **settings | {"help": argparse.SUPPRESS, "required": False})
    if others := [flag for flag in option.more.off if flag != option.no]:
        no = {"dest": option.name, "default": option.default, "action": "store_false", "help": argparse.SUPPRESS}
        container.add_argument(*others, **no)
