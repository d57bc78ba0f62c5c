"""What both command lines, that of configs and that of functions, say of a wrong argument."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from mgc_lightning.errors import MGCError, nearest, not_among

UNKNOWN = re.compile(
    r"[Kk]ey '([^']+)' is not expected|[Uu]nrecognized arguments: (\S+)|not accept option '([^']+)'"
    r"|NestedArg\(key='([^']+)'"
)
_KEY = re.compile(r"Parser key \"([^\"]+)\"")
_TOLD = re.compile(r"^\s*- `([^`]+)` (must be one of .*)$", re.MULTILINE)
_WRONG_CHOICE = re.compile(r"Expected a typing\.Literal\[([^\]]*)\]\. Got value: (.*)")


class HelpfulParser:
    """Mix into a jsonargparse parser: it ends with one message, and names the nearest of the valid arguments.

    Example:
        >>> import jsonargparse
        >>> class Parser(HelpfulParser, jsonargparse.ArgumentParser):
        ...     def valid(self):
        ...         return {"--batch_size", "--seed"}
        >>> Parser().nearest("--batchsize")
        '--batch_size'
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with one message.

        Raises:
            MGCError: always.
        """
        if wrong := _wrong_choice(message):
            raise MGCError(wrong) from ex
        hints = []
        for found in UNKNOWN.findall(message):
            typed = next(part for part in found if part).split("=")[0]
            near = self.nearest(typed)
            if near is None:
                continue
            hint = f"Did you mean `{near}` instead of `{typed if near.startswith('-') else typed.lstrip('-')}`?"
            hints += [] if hint in hints else [hint]
        raise MGCError("\n".join([self.reword(message.strip()), *hints, *self.explain(message)])) from ex

    def valid(self) -> set[str]:
        """List what can be given, as it is typed."""
        raise NotImplementedError

    def reword(self, message: str) -> str:
        """Say it in the words of this command line."""
        return message

    def explain(self, message: str) -> list[str]:
        """Say what else there is to say."""
        return []

    def nearest(self, typed: str) -> str | None:
        """Give the valid argument that is spelled most alike, whole or in its last part."""
        typed = typed.lstrip("-")
        valid = {name.lstrip("-"): name for name in sorted(self.valid())}
        if whole := nearest(typed, valid):
            return valid[whole]
        leaves = {name.rsplit(".", 1)[-1]: valid[name] for name in valid}
        leaf = nearest(typed.rsplit(".", 1)[-1], leaves)
        return leaves[leaf] if leaf else None


def _wrong_choice(message: str) -> str | None:
    """Say in a line which key has a value that is none of its choices; None where something else may be meant."""
    others = [line for line in message.splitlines() if "Expected a " in line and "NoneType" not in line]
    if (told := _TOLD.search(message)) and not others:  # by the parser of a class inside the config
        key = ".".join([*_KEY.findall(message[: told.start()]), told[1]])
        return f"`{key}` {told[2]}"
    if (found := _WRONG_CHOICE.search(message)) and len(others) == 1:
        key = ".".join(_KEY.findall(message[: found.start()]))
        return not_among(f"`{key}`", found[2].strip(), [choice.strip("' ") for choice in found[1].split(",")])
    return None
