"""`fit`, `validate`, `test` and `predict`: LightningCLI with the OmegaConf parser."""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import typing
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import WandbLogger
from omegaconf.errors import OmegaConfBaseException

from mgc_lightning.arguments.helpful import HelpfulParser
from mgc_lightning.encoders.registry import record_init_args
from mgc_lightning.errors import MGCError, check_count, nearest
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checkpoints import read_checkpoint, reconcile
from mgc_lightning.files.places import configs_folder
from mgc_lightning.files.reading import reason
from mgc_lightning.files.wandb_server import has_key, server_address, unreachable
from mgc_lightning.networks.files import SMALL
from mgc_lightning.own_code import PLUGINS, explain_missing, import_modules
from mgc_lightning.training.checkpoint_io import AtomicCheckpointIO
from mgc_lightning.training.config_files import check_config
from mgc_lightning.training.module import HYPERPARAMETERS_KEY, MGCModule
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.trust import check_size, trusted

logger = logging.getLogger(__name__)


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


class SaveRunConfig(SaveConfigCallback):
    """Save the resolved config in the run's folder, and log it, so that a run can be told from another."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write `config.yaml` (`fit`) or `config_<stage>.yaml` on rank zero."""
        name = "config.yaml" if stage == "fit" else f"config_{stage}.yaml"
        with atomic_path(run_folder(trainer) / name) as temporary:
            self.parser.save(self.config, temporary, skip_none=False, overwrite=True, multifile=False)
        for experiment in trainer.loggers:
            experiment.log_hyperparams(_plain(self.parser, self.config))


class MGCCLI(LightningCLI):
    """LightningCLI whose checkpoints never override the config silently, and name no class that the user did not."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `--import`."""
        parser.add_argument(
            "--import",
            type=list[str],
            default=[],
            help="module of yours that a checkpoint may name, such as my_nets; may be given several times",
        )

    def _parse_ckpt_path(self) -> None:
        subcommand = self.config.subcommand
        imports = self.config[subcommand].get("import")
        import_modules(imports)
        path = self.config[subcommand].get("ckpt_path")
        if not path or path in ("best", "last", "hpc", "registry"):
            return
        checkpoint = read_checkpoint(path)
        stored = checkpoint.get(HYPERPARAMETERS_KEY) or {}
        if not isinstance(stored, dict):
            raise MGCError(f"`{path}`: `{HYPERPARAMETERS_KEY}` is {type(stored).__name__}, expected an object")
        parser = self._parser(subcommand)
        given = current = _plain(parser, self.config[subcommand])["model"]
        defaults = _plain(parser, parser.get_defaults(skip_validation=True)).get("model", {})
        report: list[str] = []
        if subcommand != "fit":
            stored, report = trusted(stored, current, defaults, imports)
            # The weights come from the checkpoint: what its training started from need not be here.
            current = {**current, "init": None}
            if "backbone" in stored and current.get("backbone") == defaults.get("backbone"):
                numbers = sum(tensor.numel() for tensor in checkpoint["state_dict"].values())
                check_size(stored["backbone"], 2 * numbers + SMALL)
        model, differences = reconcile(stored, current, defaults, adopt=subcommand != "fit")
        report += differences
        for line in report:
            logger.warning("%s: %s", path, line)
        if model != given:
            self.config = self.parser.parse_object({subcommand: {"model": model}}, self.config)

    def instantiate_classes(self) -> None:
        """Make trainer, model and data.

        Raises:
            MGCError: as a class says it that cannot be made of its arguments, without the parser's own words; or what
                it raises, in a line.
        """
        try:
            super().instantiate_classes()
        except Exception as error:  # of Lightning, of loggers and optimisers, of classes of the user's own
            told: BaseException | None = error
            while told is not None and not isinstance(told, MGCError):
                told = told.__cause__ or told.__context__
            if told is not None:
                raise told from error
            first: BaseException = error
            while first.__cause__ is not None:
                first = first.__cause__
            missing = ". Install it, or take another in the config" if isinstance(first, ImportError) else ""
            raise MGCError(
                f"The config gives what cannot be used: {type(first).__name__}: {reason(first)}{missing}"
            ) from error

    def before_instantiate_classes(self) -> None:
        """Ask for data before anything is made.

        Raises:
            MGCError: if the config names none.
        """
        if self.config[self.subcommand].get("data") is None:
            raise MGCError(
                f"`{self.subcommand}` needs data: give a config, such as `--config quickstart`, or `--data "
                "SyntheticTriplets`"
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; its checkpoints are whole or absent, unless the config names another way to write them."""
        trainer = super().instantiate_trainer(**kwargs)
        if any(isinstance(each, WandbLogger) for each in trainer.loggers):
            keep_offline_without_server()
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        return trainer

    def after_fit(self) -> None:
        """Tell if a training left no checkpoint behind.

        Raises:
            MGCError: if none of those that it was to write could be written.
        """
        checkpoints = self.trainer.strategy.checkpoint_io
        if isinstance(checkpoints, AtomicCheckpointIO):
            checkpoints.check_written()

    def _set_seed(self) -> None:
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool):
            check_count("seed_everything", seed, 0, 2**32 - 1)
        super()._set_seed()

    def after_instantiate_classes(self) -> None:
        """Keep the resolved hyperparameters in the module, which puts them into its checkpoints."""
        parser = self._parser(self.subcommand)
        self.model.hyperparameters = _plain(parser, self.config[self.subcommand])["model"]
        backbone = self.model.hyperparameters.get("backbone")
        if backbone is not None:
            record_init_args(self.model.network.encoder.backbone, backbone.get("init_args") or {})


def _plain(parser: Any, config: Any) -> dict[str, Any]:
    """Give a config as plain dictionaries, lists, numbers and strings."""
    import yaml

    text = parser.dump(config, skip_none=False, skip_validation=True, skip_link_targets=False, format="yaml")
    return yaml.safe_load(text)


def find_config(name: str) -> Path:
    """Find a config by path, or by the name of a shipped one (`quickstart`, `configs/quickstart.yaml`).

    Raises:
        MGCError: if there is none, with the shipped names.

    Example:
        >>> find_config("quickstart").name
        'quickstart.yaml'
    """
    folder = configs_folder()
    relative = Path(name)
    inside = Path(*relative.parts[1:]) if relative.parts[:1] == ("configs",) else relative
    for candidate in (relative, folder / inside, folder / f"{inside}.yaml"):
        if candidate.is_file():
            check_config(candidate)
            return candidate
    shipped = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob("**/*.yaml"))
    near = nearest(str(inside.with_suffix("")), shipped)
    hint = f" Did you mean `{near}`?" if near else ""
    raise MGCError(f"No config `{name}`: expected a path, or one of {', '.join(shipped)}.{hint}")


def gather_imports(arguments: list[str]) -> list[str]:
    """Make one list of all `--import MODULE`.

    Example:
        >>> gather_imports(["test", "--import", "my_nets", "--import=my_losses", "--print_config"])
        ['test', '--print_config', '--import=["my_nets", "my_losses"]']
    """
    modules: list[str] = []
    others: list[str] = []
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if flag != "--import":
            others.append(argument)
            continue
        value = value if equals else next(left, "")
        if value.startswith("["):
            return arguments
        modules.append(value)
    return [*others, f"--import={json.dumps(modules)}"] if modules else others


def resolve_configs(arguments: list[str]) -> list[str]:
    """Replace the names of shipped configs by their paths.

    Example:
        >>> [part.rsplit("/", 1)[-1] for part in resolve_configs(["--config", "quickstart", "--trainer.max_epochs=1"])]
        ['--config', 'quickstart.yaml', '--trainer.max_epochs=1']
    """
    resolved = list(arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-c") and equals:
            resolved[index] = f"{flag}={find_config(value)}"
        elif flag in ("--config", "-c") and index + 1 < len(arguments):
            resolved[index + 1] = str(find_config(arguments[index + 1]))
    return resolved


def prepare_wandb() -> None:
    """Run W&B offline where there is no key, so that it does not ask."""
    warnings.filterwarnings("ignore", message="LightningCLI.s args parameter")
    warnings.filterwarnings("ignore", message=".*was provided to the `Field\\(\\)` function.*", category=UserWarning)
    if "WANDB_MODE" not in os.environ and not has_key():
        os.environ["WANDB_MODE"] = "offline"


def keep_offline_without_server() -> None:
    """Run W&B offline, aloud, where there is a key and no server: it waits for minutes, and then ends the training."""
    if os.environ.get("WANDB_MODE", "online") == "online" and has_key() and (why := unreachable()):
        os.environ["WANDB_MODE"] = "offline"
        logger.warning(
            "Weights & Biases at %s cannot be reached (%s): runs are kept offline, `wandb sync PATH` uploads them",
            server_address(),
            why,
        )


def in_flags(message: str) -> str:
    """Turn modules that are named as in Python into flags.

    Example:
        >>> in_flags("If you trust it: `imports=['my_nets', 'my_losses']`")
        'If you trust it: --import my_nets --import my_losses'
    """

    def flags(found: re.Match[str]) -> str:
        return " ".join(f"--import {word.strip()[1:-1]}" for word in found[1].split(","))

    return re.sub(r"`imports=\[([^\]]+)\]`", flags, message)


class _InFlags(logging.Filter):
    """Show messages of the library as a user of this command line types what they name."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Reword a record of ours, and let every record through."""
        if record.name.startswith("mgc_lightning"):
            record.msg, record.args = in_flags(record.getMessage()), ()
        return True


def run_training(arguments: list[str]) -> MGCCLI:
    """Run a training subcommand with command-line arguments.

    Raises:
        MGCError: if a config, a checkpoint or a class that they name cannot be used; arguments are named as typed.
    """
    logging.basicConfig(format="%(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_InFlags())
    logging.getLogger("mgc_lightning").setLevel(logging.INFO)
    prepare_wandb()
    torch.set_float32_matmul_precision("high")
    try:
        return _run(arguments)
    except MGCError as error:
        raise MGCError(in_flags(str(error))) from error
    except OmegaConfBaseException as error:
        raise MGCError(f"The config cannot be resolved: {reason(error)}") from error


def register_plugins() -> None:
    """Import data modules and callbacks, so that a config may call them by their short names.

    Example:
        >>> register_plugins()
        >>> import sys
        >>> "datamodules.synthetic" in sys.modules
        True
    """
    for package in PLUGINS[1:]:
        try:
            module = importlib.import_module(package)
            for name in module.__all__:
                getattr(module, name)
        except (ImportError, AttributeError):  # a folder of the user's hides ours: told where one of ours is named
            continue


def _run(arguments: list[str]) -> MGCCLI:
    register_plugins()
    return MGCCLI(
        MGCModule,
        parser_class=ConfigParser,
        parser_kwargs={"parser_mode": "omegaconf+"},
        save_config_callback=SaveRunConfig,
        save_config_kwargs={"save_to_log_dir": False},
        trainer_defaults={"use_distributed_sampler": False},
        seed_everything_default=0,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        args=gather_imports(resolve_configs(arguments)),
    )
