"""The parser of configs, whose errors name keys, and configs as plain values."""

from __future__ import annotations

import typing
from typing import Any

import jsonargparse
import torch
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from mgc_lightning.arguments.helpful import HelpfulParser
from mgc_lightning.own_code import explain_missing
from mgc_lightning.training.merging import drops, merge_mapping, remove_entry, tell_list

jsonargparse.typing.register_type(torch.device)  # Lightning's callbacks have it among their defaults


class ConfigParser(HelpfulParser, LightningArgumentParser):
    """Take keys as they are written, never abbreviated; name the nearest valid key where one is unknown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"logger": drops, **kwargs})

    def parse_args(self, args: Any = None, namespace: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Parse arguments; `NAME.ENTRY=null` removes an entry of a mapping."""
        if namespace is not None and isinstance(args, list):
            hints = {action.dest: getattr(action, "_typehint", None) for action in self._actions}
            kept = []
            for argument in args:
                name = argument.removeprefix("--").partition(".")[0]
                if hints.get(name) is None or not remove_entry(hints[name], argument, namespace, name):
                    kept.append(argument)
            args = kept
        return super().parse_args(args, namespace, **kwargs)

    def _check_value_key(self, action: Any, value: Any, key: str, cfg: Any, append: bool = False) -> Any:
        """Check a value of a config, merged onto what was said before."""
        if isinstance(value, str) and "${" in value and cfg is not None and not cfg:
            return value  # whether another class takes what is only resolved later
        previous = cfg.get(action.dest) if cfg else None
        if not append and previous is not None:
            value = merge_mapping(getattr(action, "_typehint", None), value, previous)
            tell_list(key, value, previous)
        return super()._check_value_key(action, value, key, cfg, append)

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
