"""Configs without a training: composed, compared, and made into trainer, model and data."""

from __future__ import annotations

import importlib
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from mgc_lightning.errors import MGCError
from mgc_lightning.files.checkpoints import flatten
from mgc_lightning.files.places import configs_folder
from mgc_lightning.own_code import PLUGINS
from mgc_lightning.training.cli import MGCCLI, run_training
from mgc_lightning.training.config_parser import plain

REQUIRED = "<required>"
"""Stands where a config leaves a value to its user."""
_REQUIRED = re.compile(r"`([\w.]+)`: the following arguments are required: (\w+(?:, \w+)*)")


class _Resolved(MGCCLI):
    """Parse, and make nothing."""

    def _parse_ckpt_path(self) -> None:
        pass

    def _set_seed(self) -> None:
        pass

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        pass

    def after_instantiate_classes(self) -> None:
        pass

    def _run_subcommand(self, subcommand: str) -> None:
        pass


class Made(MGCCLI):
    """Make trainer, model and data of a config, and run nothing."""

    def _parse_ckpt_path(self) -> None:
        pass

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def arguments_of(words: Sequence[str]) -> list[str]:
    """Turn names and files of configs, and values as `trainer.max_steps=3`, into a command line of `fit`.

    Raises:
        MGCError: if no config is named.

    Example:
        >>> arguments_of(["quickstart", "trainers/bf16", "model.focal=1015"])
        ['fit', '--config', 'quickstart', '--config', 'trainers/bf16', '--model.focal=1015']
    """
    values = [word for word in words if "=" in word]
    names = [_file_of(word) for word in words if "=" not in word]
    if not names:
        raise MGCError("Expected the name or the file of a config, and after it more configs and values KEY=VALUE")
    configs = [part for name in names for part in ("--config", name)]
    return ["fit", *configs, *("--" + value.lstrip("-") for value in values)]


def resolve(words: Sequence[str], everything: bool = False) -> dict[str, Any]:
    """Give what configs and values come to.

    Args:
        words: names or files of configs, or folders of runs, later ones laid over earlier ones; and values
            KEY=VALUE. A value that they leave to their user is `<required>`.
        everything: keep what the trainer has by default, too.

    Raises:
        MGCError: as `fit` says it.

    Example:
        >>> config = resolve(["quickstart", "trainers/cpu", "model.focal=1015"])
        >>> config["model"]["focal"], config["data"]["init_args"]["focal"], config["trainer"]["accelerator"]
        (1015.0, 1015.0, 'cpu')
    """
    cli = _parsed(arguments_of(words))
    parser = cli._parser("fit")
    config = plain(parser, cli.config["fit"])
    if not everything:
        defaults = plain(parser, parser.get_defaults(skip_validation=True))
        kept = {key: value for key, value in config["trainer"].items() if value != defaults["trainer"].get(key)}
        config["trainer"] = kept
    order = ("seed_everything", "model", "data", "trainer")
    return {key: config[key] for key in order if key in config}


def _parsed(arguments: list[str]) -> MGCCLI:
    """Parse; what a config leaves to its user, such as the path of the data, is filled with a mark."""
    try:
        return run_training(arguments, _Resolved)
    except MGCError as error:
        found = _REQUIRED.search(str(error))
        more = [f"--{found[1]}.{name}={REQUIRED}" for name in found[2].split(", ")] if found else []
        if not more or any(argument in arguments for argument in more):
            raise
        return _parsed([*arguments, *more])


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """List the keys in which two resolved configs differ, with both values; None where one has no such key.

    Example:
        >>> differences({"model": {"focal": 4700.0, "init": None}}, {"model": {"focal": 1015.0}})
        [('model.focal', 4700.0, 1015.0)]
    """
    ours, theirs = flatten(first), flatten(second)
    return [
        (key, ours.get(key), theirs.get(key)) for key in [*ours, *(k for k in theirs if k not in ours)]
        if ours.get(key) != theirs.get(key)
    ]  # fmt: skip


def shipped_configs() -> dict[str, str]:
    """Give the names of shipped configs, sweeps aside, and what their first line says.

    Example:
        >>> shipped_configs()["trainers/bf16"]
        'bfloat16 where it is safe: the encoder; geometry and losses stay float32'
    """
    folder, found = configs_folder(), {}
    for file in sorted(folder.glob("**/*.yaml"), key=lambda path: (len(path.relative_to(folder).parts), path)):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if not name.startswith("sweeps/"):
            found[name] = file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").rstrip(":. ")
    return found


def keys() -> dict[str, list[str] | None]:
    """Give the keys of `fit` that can be typed, and their values where there is a list.

    Example:
        >>> found = keys()
        >>> "trainer.max_steps" in found, "SyntheticTriplets" in found["data"]
        (True, True)
    """
    cli = run_training(["fit", "--trainer.logger=false"], _Resolved)
    found: dict[str, list[str] | None] = {}
    for action in cli._parser("fit")._actions:
        if "." in action.dest and not action.dest.endswith(".help"):
            hint = getattr(action, "_typehint", None)
            literal = typing.get_origin(hint) is typing.Literal
            found[action.dest] = [str(each) for each in typing.get_args(hint)] if literal else None
    module = importlib.import_module(PLUGINS[1])
    classes = [(name, getattr(module, name)) for name in module.__all__]
    kinds = [name for name, each in classes if isinstance(each, type) and issubclass(each, LightningDataModule)]
    return found | {"data": kinds}


def _file_of(word: str) -> str:
    """Give the config of a run where a folder is named."""
    return str(Path(word) / "config.yaml") if (Path(word) / "config.yaml").is_file() else word
