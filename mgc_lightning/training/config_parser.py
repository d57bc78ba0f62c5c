"""The parser of configs, whose errors name keys, and configs as plain values."""

from __future__ import annotations

import typing
from typing import Any

import yaml
from lightning.pytorch.cli import LightningArgumentParser

from mgc_lightning.arguments.helpful import HelpfulParser
from mgc_lightning.own_code import explain_missing


class ConfigParser(HelpfulParser, LightningArgumentParser):
    """Take keys as they are written, never abbreviated; name the nearest valid key where one is unknown."""

    def explain(self, message: str) -> list[str]:
        """Tell of folders of the user's own that hide ours."""
        return [why] if (why := explain_missing(message)) else []

    def valid(self) -> set[str]:
        """List the keys of all subcommands, with those inside the classes of this project."""
        known: set[str] = set()
        choices = getattr(self._subcommands_action, "choices", None) if self._subcommands_action else None
        for parser in [self, *(choices or {}).values()]:
            for action in parser._actions:
                known |= {action.dest} | _names_inside(getattr(action, "_typehint", None), action.dest)
        return known


def _names_inside(hint: Any, prefix: str, depth: int = 2) -> set[str]:
    """Give the dotted names of the parameters of this project's classes in a type."""
    names: set[str] = set()
    for kind in typing.get_args(hint) or (hint,):
        if not (isinstance(kind, type) and kind.__module__.startswith("mgc_lightning")) or not depth:
            continue
        for name, inner in typing.get_type_hints(kind.__init__).items():
            if name != "return":
                names |= {f"{prefix}.{name}"} | _names_inside(inner, f"{prefix}.{name}", depth - 1)
    return names


def plain(parser: Any, config: Any) -> dict[str, Any]:
    """Give a config of a parser as plain dictionaries, lists, numbers and strings."""
    text = parser.dump(config, skip_none=False, skip_validation=True, skip_link_targets=False, format="yaml")
    return yaml.safe_load(text)
