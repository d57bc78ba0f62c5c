"""The help of `fit`, `validate`, `test` and `predict`, of two screens: what there is to choose from, and its keys."""

from __future__ import annotations

import importlib
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import docstring_parser
import lightning as L

from mgc_lightning.encoders import BACKBONES
from mgc_lightning.files.places import configs_folder
from mgc_lightning.losses import PairLoss, SampleLoss, ViewLoss
from mgc_lightning.training.module import MGCModule

PURPOSES = {
    "fit": "Train by a config.",
    "validate": "Score a checkpoint on the validation set of a config.",
    "test": "Score a checkpoint on the test set of a config, or by a benchmark's.",
    "predict": "Run a checkpoint on the data of a config.",
}
FULL = "--help-all"
"""What shows every argument, Lightning's and those of each class."""
WIDTH, COLUMN = 108, 24
TRAINER = {
    "max_steps": "after so many steps of the optimiser training ends; max_epochs likewise",
    "accelerator": "auto, cpu, gpu, mps; with devices=N, num_nodes=N, strategy=ddp",
    "precision": "32-true, bf16-mixed, 16-mixed",
    "val_check_interval": "steps between validations",
    "logger": "WandbLogger, CSVLogger, TensorBoardLogger, false",
    "default_root_dir": "where runs are written if the logger does not say",
    "callbacks": "more of what the trainer calls; += adds to those of the config",
    "fast_dev_run": "one batch of everything, nothing written: does it run?",
}


def short_help(subcommand: str) -> str:
    """Give the help of a subcommand.

    Example:
        >>> text = short_help("fit")
        >>> text.splitlines()[0]
        'usage: lightning fit --config NAME|FILE [--config ...] [--KEY=VALUE ...]'
        >>> len(text.splitlines()) < 110, "SyntheticTriplets" in text
        (True, True)
    """
    lines = [
        f"usage: lightning {subcommand} --config NAME|FILE [--config ...] [--KEY=VALUE ...]",
        f"{'':23}[--ckpt_path PATH|last] [--import MODULE ...] [--print_config]",
        "",
        f"{PURPOSES[subcommand]} Of several configs and values the last one counts; a key of a class is",
        f"--data.KEY or --data.init_args.KEY. Every argument there is: lightning {subcommand} {FULL}",
    ]
    for title, rows in _sections(subcommand):
        lines += ["", title]
        for name, text in rows:
            lines += _row(name, text)
    return "\n".join(lines)


def wants_short_help(arguments: Sequence[str]) -> str | None:
    """Give the subcommand whose help is asked for; None if it is not.

    Example:
        >>> wants_short_help(["fit", "--config", "quickstart", "-h"]), wants_short_help(["fit", "--help-all"])
        ('fit', None)
    """
    if arguments and arguments[0] in PURPOSES and ({"-h", "--help"} & set(arguments)):
        return arguments[0]
    return None


def _sections(subcommand: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "configs (--config NAME, or a file of your own)", _configs()
    yield "model (--model.KEY=VALUE)", _model()
    data, callbacks = (_classes(package, base) for package, base in _PLUGINS)
    yield f"data (--data NAME --data.KEY=VALUE; its keys: lightning {subcommand} --data.help NAME)", data
    if subcommand == "fit":
        yield "losses (rows of model.objective.extra; one of your own: docs/extend.md)", _losses()
    yield (
        "callbacks (--trainer.callbacks+=NAME --trainer.callbacks.KEY=VALUE; --trainer.callbacks.help NAME)",
        callbacks,
    )
    yield "trainer (--trainer.KEY=VALUE; more in Lightning's documentation)", list(TRAINER.items())
    yield (
        "and",
        [
            ("--seed_everything N", "of weights and data; the config's"),
            ("--ckpt_path PATH", "fit: go on from it, `last` from the newest; else what is scored"),
            ("--import MODULE", "of yours, whose classes a config or a checkpoint may name"),
            ("--print_config, -q, -v", "show what it all comes to, and end; say warnings alone; say all"),
        ],
    )


_PLUGINS: tuple[tuple[str, type], ...] = (("datamodules", L.LightningDataModule), ("callbacks", L.Callback))


def _configs() -> list[tuple[str, str]]:
    rows = []
    for file in sorted(configs_folder().glob("*.yaml")):
        first = file.read_text(encoding="utf-8").partition("\n")[0]
        rows.append((file.stem, first.lstrip("# ").rstrip(":.")))
    folders = sorted(path.name for path in configs_folder().iterdir() if path.is_dir() and path.name != "sweeps")
    return [*rows, ("presets", f"{'/, '.join(folders)}/: mgc config list")]


def _model() -> list[tuple[str, str]]:
    parameters, hints = inspect.signature(MGCModule).parameters, typing.get_type_hints(MGCModule.__init__)
    rows = []
    for told in docstring_parser.parse(inspect.getdoc(MGCModule) or "").params:
        default: Any = parameters[told.arg_name].default
        text = " ".join((told.description or "").split()).rstrip(".")
        if told.arg_name == "backbone":
            text += f": {', '.join(f'mgc_lightning.encoders.{name}' for name in BACKBONES)}, or yours"
        if typing.get_origin(hints[told.arg_name]) is typing.Literal:
            text += f": {', '.join(typing.get_args(hints[told.arg_name]))}"
        plain = isinstance(default, int | float | str)
        rows.append((told.arg_name, f"{text} (default: {default})" if plain else text))
    return rows


def _classes(package: str, base: type) -> list[tuple[str, str]]:
    try:
        module = importlib.import_module(package)
        found = [getattr(module, name) for name in module.__all__]
    except (ImportError, AttributeError):  # a folder of the user's hides ours: told where one of ours is named
        return []
    return [(each.__name__, _first_line(each)) for each in found if inspect.isclass(each) and issubclass(each, base)]


def _losses() -> list[tuple[str, str]]:
    module = importlib.import_module("mgc_lightning.losses")
    bases = (ViewLoss, PairLoss, SampleLoss)
    found = [getattr(module, name) for name in module.__all__]
    ours = [each for each in found if inspect.isclass(each) and issubclass(each, bases) and each not in bases]
    kinds = {ViewLoss: "views", PairLoss: "pairs", SampleLoss: "samples"}
    return [
        (each.__name__, f"{_first_line(each)} ({next(kinds[base] for base in bases if issubclass(each, base))})")
        for each in ours
    ]


def _first_line(target: Callable[..., Any]) -> str:
    return (inspect.getdoc(target) or "").partition("\n")[0].rstrip(".")


def _row(name: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH - COLUMN) or [""]
    first = f"  {name:<{COLUMN - 2}}"
    if len(name) > COLUMN - 4:
        return [f"  {name}", *(" " * COLUMN + line for line in wrapped)]
    return [first + wrapped[0], *(" " * COLUMN + line for line in wrapped[1:])]
