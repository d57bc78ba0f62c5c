"""The console program `lightning`, also called `mgc`: LightningCLI for training, and the commands around it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mgc_lightning import __version__
from mgc_lightning.errors import MGCError, nearest


class Command(NamedTuple):
    """Name the function of a command, `module:function`, and what the list of commands says of it."""

    target: str
    help: str


class Group(NamedTuple):
    """Hold commands that are typed after a common word."""

    help: str
    commands: Mapping[str, Command | Group]


# Nothing is imported for this list. A command's text is the first line of its function's docstring; a test compares.
COMMANDS: dict[str, Command | Group] = {
    "doctor": Command(
        "mgc_lightning.commands.doctor:doctor",
        "check versions, devices, rasterizers, face models and W&B; say what to do about what is missing",
    ),
    "completion": Command(
        "mgc_lightning.completion:completion",
        "print a script that completes commands, flags, choices and names of configs in a shell",
    ),
    "config": Group(
        "experiments: what there is, what they come to, whether they will run",
        {
            "list": Command(
                "mgc_lightning.commands.config_list:list_configs",
                "list the configs and presets that come with the package; `--config NAME` takes each",
            ),
            "show": Command(
                "mgc_lightning.commands.config_show:show",
                "show what configs, laid over one another, and values come to",
            ),
            "diff": Command(
                "mgc_lightning.commands.config_diff:diff",
                "show in which keys two configs differ, as they are resolved",
            ),
            "check": Command(
                "mgc_lightning.commands.config_check:check",
                "try what a training needs before it starts: files, a step, memory, disk, logger, time",
            ),
        },
    ),
    "export": Command(
        "mgc_lightning.commands.export:export",
        "export a checkpoint to ONNX, torch.export and safetensors, and compare each with the network",
    ),
    "calibrate": Command(
        "mgc_lightning.commands.calibrate:calibrate",
        "calibrate a network on photographs of people, without labels or training: minutes, not days",
    ),
    "models": Command(
        "mgc_lightning.commands.models:models",
        "list the trained networks that come with the package: size, input, face model, licences, scores",
    ),
    "sweep": Command(
        "mgc_lightning.commands.sweep:sweep",
        "run a W&B sweep file without account or server: trials as processes, pruned, resumed, compared",
    ),
    "import-official": Command(
        "mgc_lightning.commands.import_official:import_official",
        "convert official TensorFlow-1 weights (MGCNet, FaceNet, ImageNet's ResNet-50) to safetensors",
    ),
    "face-model": Group(
        "face models of others, converted once",
        {
            "import": Command(
                "mgc_lightning.commands.face_model_import:import_model",
                "convert your copy of BFM, FLAME or ICT-FaceKit once, into the cache; every command then knows it by "
                "name",
            ),
            "list": Command(
                "mgc_lightning.commands.face_model_list:list_models",
                "list the face models that are installed, and those that can be imported",
            ),
        },
    ),
    "prepare": Command(
        "mgc_lightning.commands.prepare:prepare",
        "turn photographs, videos or a known data set into training triplets",
    ),
    "reconstruct": Command(
        "mgc_lightning.commands.reconstruct:reconstruct",
        "reconstruct the faces of photographs and videos: overlays, meshes, texture, depth, landmarks, coefficients",
    ),
    "fit-scan": Command(
        "mgc_lightning.commands.fit_scan:fit_scan",
        "fit a face model to a scan: its coefficients, its place, and its mesh on the scan",
    ),
    "report": Command(
        "mgc_lightning.commands.report:report",
        "write one HTML page of a training, of a benchmark's results, or of reconstructed faces: it stands alone",
    ),
    "app": Command(
        "mgc_lightning.commands.app:app",
        "serve a local page: drop photographs, see their faces, turn, move and light them, download them",
    ),
    "benchmark": Group(
        "score meshes by NoW and REALY, and write what their organisers take; score on scans of your own",
        {
            "now": Command(
                "mgc_lightning.commands.benchmark_now:benchmark_now",
                "score meshes by NoW: scan-to-mesh error of neutral faces at the official numbers",
            ),
            "realy": Command(
                "mgc_lightning.commands.benchmark_realy:benchmark_realy",
                "score meshes by REALY: region-aware scan-to-mesh error at the official numbers",
            ),
            "scan": Command(
                "mgc_lightning.commands.benchmark_scan:benchmark_scan",
                "photograph textured head scans, reconstruct them from the photographs, and score by NoW",
            ),
            "compare": Command(
                "mgc_lightning.commands.benchmark_compare:benchmark_compare",
                "compare methods on the same images: paired, with confidence intervals, tables and curves",
            ),
            "submit": Group(
                "a checkpoint's predictions, in the layouts that these take",
                {
                    "now": Command(
                        "mgc_lightning.commands.benchmark_submit_now:submit_now",
                        "write a checkpoint's neutral meshes and landmarks in the layout that the NoW organisers take",
                    ),
                    "realy": Command(
                        "mgc_lightning.commands.benchmark_submit_realy:submit_realy",
                        "write a checkpoint's meshes in the layout that `mgc benchmark realy` and the official program "
                        "take",
                    ),
                },
            ),
        },
    ),
    "synthesize": Group(
        "a free data set in a benchmark's official layout",
        {
            "now": Command(
                "mgc_lightning.commands.synthesize_now:synthesize_now",
                "write a synthetic NoW data set (scans, photographs, boxes, lists) in the official layouts",
            ),
            "realy": Command(
                "mgc_lightning.commands.synthesize_realy:synthesize_realy",
                "write a synthetic data set in REALY's official layout (CC0): scans, keypoints, images, predictions",
            ),
        },
    ),
}
TRAINING = {
    "fit": "train a model",
    "validate": "score a checkpoint on the validation set; `validate NAME` tries a config instead (config check)",
    "test": "score a checkpoint on the test set or a benchmark",
    "predict": "reconstruct a data set",
}


CLOSED_PIPE = 141
"""Status of a program whose reader has left, as shells know it: 128 and the number of SIGPIPE."""
INTERRUPTED = 130
"""Status after Ctrl-C: 128 and the number of SIGINT."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program; errors that a user can mend end it with one message and status 2."""
    try:
        try:
            _main(argv)
        finally:
            sys.stdout.flush()  # what is buffered would fail after the last line that can catch it
    except BrokenPipeError:  # `mgc ... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED_PIPE)


def _main(argv: Sequence[str] | None) -> None:
    arguments = list(sys.argv[1:] if argv is None else argv)
    program = os.path.basename(sys.argv[0]) or "mgc"
    try:
        if arguments[:1] == ["validate"] and arguments[1:] and not arguments[1].startswith("-"):
            # Lightning's own takes flags alone
            status = _command(program, Group("", COMMANDS), ["config", "check", *arguments[1:]])
        elif arguments and arguments[0] in TRAINING:
            status = _train(arguments)
        elif arguments[:1] == ["--version"]:
            print(f"mgc-lightning {__version__}")
            status = 0
        else:
            status = _command(program, Group("", COMMANDS), arguments)
    except MGCError as error:
        if os.environ.get("MGC_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except OSError as error:  # of a library that writes by itself: loggers, caches
        from mgc_lightning.files.atomic import disk_trouble

        why = disk_trouble(error)
        if why is None or os.environ.get("MGC_TRACEBACK"):
            raise
        print(f"error: {why}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        if os.environ.get("MGC_TRACEBACK"):
            raise
        print("Stopped.", file=sys.stderr)
        status = INTERRUPTED
    sys.exit(status)


def _train(arguments: list[str]) -> int:
    from mgc_lightning.own_code import add_working_folder
    from mgc_lightning.training.cli import run_training

    add_working_folder()
    run_training(arguments)
    return 0


def _command(program: str, entry: Command | Group, arguments: list[str]) -> int:
    """Go down the words of a command line to its command, and run it with the rest."""
    if isinstance(entry, Command):
        from mgc_lightning.arguments.parser import CommandParser
        from mgc_lightning.own_code import add_working_folder

        add_working_folder()
        return CommandParser(load(entry), program).run(arguments)
    top = entry.commands is COMMANDS
    word = arguments[0] if arguments else ""
    if word in entry.commands:
        return _command(f"{program} {word}", entry.commands[word], arguments[1:])
    if word in ("", "-h", "--help"):
        _listing(program, entry, top).print_help(sys.stdout if word else sys.stderr)
        return 0 if word else 2
    known = [*(TRAINING if top else ()), *entry.commands]
    near = nearest(word, known)
    hint = f" Did you mean `{program} {near}`?" if near else ""
    raise MGCError(f"No command `{program} {word}`; there are {', '.join(known)}.{hint}")


def load(command: Command) -> Callable[..., int]:
    """Import the function of a command.

    Example:
        >>> load(COMMANDS["doctor"]).__name__
        'doctor'
    """
    import importlib

    module, _, name = command.target.partition(":")
    return getattr(importlib.import_module(module), name)


def _listing(program: str, group: Group, top: bool) -> argparse.ArgumentParser:
    """List the commands of a group, all at the top, where those of training come first."""
    description = "Self-supervised monocular 3D face reconstruction by multi-view geometry consistency."
    parser = argparse.ArgumentParser(
        prog=program,
        description=description if top else group.help[0].upper() + group.help[1:] + ".",
        epilog="Set MGC_TRACEBACK=1 to see where an error came from." if top else None,
    )
    if top:
        parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in TRAINING.items() if top else ():
        commands.add_parser(name, help=f"{text} (`{name} --help`, `{name} --config NAME|PATH`)")
    for name, entry in group.commands.items():
        inner = f": {', '.join(entry.commands)}" if isinstance(entry, Group) else ""
        commands.add_parser(name, help=entry.help + inner)
    return parser


if __name__ == "__main__":
    main()
