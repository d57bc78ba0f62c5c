"""What both command lines, that of configs and that of functions, say of a wrong argument."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from mgc_lightning.errors import MGCError, nearest, not_among

UNKNOWN = re.compile(
    r"[Kk]ey '([^']+)' is not expected|[Uu]nrecognized arguments: (\S+)|not accept option '([^']+)'"
    r"|NestedArg\(key='([^']+)'|Option '([^']+)' is not accepted"
)
LINES = 4
_NO_REASON = ("- a ", "- Expected a <class 'NoneType'>", "- Expected a path", "- Does not validate")
_CLASS = re.compile(r"<class '(?:[\w.]*\.)?(\w+)'>")
_KEY = re.compile(r"Parser key \"([^\"]+)\"")
_TOLD = re.compile(r"^\s*- `([^`]+)` (must be one of .*)$", re.MULTILINE)
_HINT = re.compile(r"^\s*(Did you mean `.*\?)$", re.MULTILINE)
_NESTED = re.compile(r"NestedArg\(key='([^']+)', val='?(.*?)'?\)")
_NO_CHOICE = re.compile(r"`(\w+)`: Expected a typing\.Literal\[([^\]]*)\]\. Given value: ([^;\n]+)(?:; Option [^\n]*)?")
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
        # The parser of a class inside the config knows its arguments best.
        hints = list(dict.fromkeys(_HINT.findall(message)))
        for found in [] if hints else UNKNOWN.findall(message):
            typed = next(part for part in found if part).split("=")[0]
            near = self.nearest(typed)
            if near is None:
                continue
            hint = f"Did you mean `{near}` instead of `{typed if near.startswith('-') else typed.lstrip('-')}`?"
            hints += [] if hint in hints else [hint]
        said = _digest(self.reword(message.strip()))
        raise MGCError("\n".join([said, *hints, *self.explain(message)])) from ex

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


def _digest(message: str) -> str:
    r"""Shorten what the parser says of every type that a value could have had: the key, and the last that is wrong.

    Example:
        >>> _digest('Parser key "data":\n Does not validate\n Subtypes: a\n Errors:\n - No module x\n - a path')
        '`data`: No module x'
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) <= LINES:
        return message
    keys, reasons = _KEY.findall(message), []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("- ") and not line.startswith(_NO_REASON):
            ends = line.endswith(":") and not following.startswith("- ")
            reasons.append(f"{line[2:]} {following}" if ends else line[2:])
    reasons = [reason for reason in reasons if not reason.startswith("Parser key")] or lines[1:2]
    given = next((line for line in reversed(lines) if line.startswith("Given value:")), "")
    said = _CLASS.sub(r"\1", reasons[0] if len(reasons) == 1 else "; ".join(dict.fromkeys(reasons[:2])))
    chosen = _NO_CHOICE.sub(lambda found: _not_chosen(found[1], found[2], found[3]), said)
    if chosen != said:
        return f"`{'.'.join(keys)}`: {chosen}"
    said = f"`{'.'.join(keys)}`: {said[:300]}" + (f". {given[:120]}" if given and "Got value" not in said else "")
    return _NESTED.sub(r"\1=\2", said)


def _not_chosen(name: str, choices: str, value: str) -> str:
    return not_among(f"`{name}`", value.strip(), [choice.strip("' ") for choice in choices.split(",")])


def _wrong_choice(message: str) -> str | None:
    """Say in a line which key has a value that is none of its choices; None where something else may be meant."""
    others = [line for line in message.splitlines() if "Expected a " in line and "NoneType" not in line]
    if (told := _TOLD.search(message)) and not others:  # by the parser of a class inside the config
        key = ".".join([*_KEY.findall(message[: told.start()]), told[1]])
        return f"`{key}` {told[2]}"
    if (found := _WRONG_CHOICE.search(message)) and len(others) == 1:
        key = ".".join(_KEY.findall(message[: found.start()]))
        return _not_chosen(key, found[1], found[2])
    return None
