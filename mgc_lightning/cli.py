"""The console program `lightning`, also called `mgc`: LightningCLI for training, and the commands around it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from mgc_lightning import __version__
from mgc_lightning.errors import MGCError

TRAINING = {
    "fit": "train a model",
    "validate": "score a checkpoint on the validation set",
    "test": "score a checkpoint on the test set or a benchmark",
    "predict": "reconstruct a data set",
}
COMMANDS: dict[str, Any] = {
    "doctor": "mgc_lightning.commands.doctor",
    "export": "mgc_lightning.commands.export",
    "import-official": "mgc_lightning.commands.import_official",
    "face-model": {
        "import": "mgc_lightning.commands.face_model_import",
        "list": "mgc_lightning.commands.face_model_list",
    },
    "prepare": "mgc_lightning.commands.prepare",
    "reconstruct": "mgc_lightning.commands.reconstruct",
    "benchmark": {
        "now": "mgc_lightning.commands.benchmark_now",
        "realy": "mgc_lightning.commands.benchmark_realy",
        "submit": {
            "now": "mgc_lightning.commands.benchmark_submit_now",
            "realy": "mgc_lightning.commands.benchmark_submit_realy",
        },
    },
    "synthesize": {
        "now": "mgc_lightning.commands.synthesize_now",
        "realy": "mgc_lightning.commands.synthesize_realy",
    },
}
"""Name of a command, and the module that has its `HELP`, `configure(parser)` and `run(args)`; nested as typed."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program; errors that a user can mend end it with one message and status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _train(arguments) if arguments and arguments[0] in TRAINING else _command(arguments)
    except MGCError as error:
        if os.environ.get("MGC_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _train(arguments: list[str]) -> int:
    from mgc_lightning.own_code import add_working_folder
    from mgc_lightning.training.cli import run_training

    add_working_folder()
    run_training(arguments)
    return 0


def _command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=os.path.basename(sys.argv[0]) or "mgc",
        description="Self-supervised monocular 3D face reconstruction by multi-view geometry consistency.",
        epilog="Set MGC_TRACEBACK=1 to see where an error came from.",
    )
    parser.add_argument("--version", action="version", version=f"mgc-lightning {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in TRAINING.items():
        subparsers.add_parser(name, help=f"{text} (`{name} --help`, `{name} --config NAME|PATH`)")
    _add_commands(subparsers, COMMANDS, arguments)
    args = parser.parse_args(arguments)
    return int(args.run(args) or 0)


def _add_commands(subparsers: Any, commands: dict[str, Any], arguments: list[str]) -> None:
    """Add commands; inside a group, only those of the group that is asked for."""
    for name, target in commands.items():
        if isinstance(target, dict):
            group = subparsers.add_parser(name, help=", ".join(target))
            if arguments[:1] != [name]:
                continue
            nested = group.add_subparsers(required=True, metavar="COMMAND")
            _add_commands(nested, target, arguments[1:])
            continue
        module = importlib.import_module(target)
        command = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.configure(command)
        command.set_defaults(run=module.run)


if __name__ == "__main__":
    main()
