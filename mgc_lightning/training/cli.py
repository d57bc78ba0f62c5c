"""`fit`, `validate`, `test` and `predict`: LightningCLI with the OmegaConf parser."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BasePredictionWriter,
    Checkpoint,
    DeviceStatsMonitor,
    LearningRateMonitor,
    ProgressBar,
)
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf.errors import OmegaConfBaseException

from mgc_lightning.encoders.registry import record_init_args
from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.files.atomic import atomic_path, disk_trouble, writing
from mgc_lightning.files.checkpoints import reconcile
from mgc_lightning.files.reading import reason
from mgc_lightning.files.text import write_json
from mgc_lightning.networks.files import SMALL
from mgc_lightning.own_code import PLUGINS, import_modules
from mgc_lightning.training.checkpoint_io import AtomicCheckpointIO
from mgc_lightning.training.config_parser import ConfigParser, plain
from mgc_lightning.training.flags import (
    QUIET,
    UNRECOGNISED,
    USAGE,
    InFlags,
    expand_groups,
    gather_imports,
    in_flags,
    resolve_configs,
    take_verbosity,
)
from mgc_lightning.training.keeping import KeepLastGood
from mgc_lightning.training.last_checkpoint import find_last, find_requeued, read_or_name_another
from mgc_lightning.training.loader_memory import loader_trouble
from mgc_lightning.training.lost_ranks import KnowRanks, lost_rank
from mgc_lightning.training.merging import any_of, listen, without
from mgc_lightning.training.module import HYPERPARAMETERS_KEY, MGCModule
from mgc_lightning.training.monitor import TrainingMonitor
from mgc_lightning.training.provenance import describe_origin
from mgc_lightning.training.quiet import set_verbosity
from mgc_lightning.training.run_folder import run_folder
from mgc_lightning.training.same_run import RUN_KEY, continued_loggers, keep_metrics
from mgc_lightning.training.short_help import FULL, short_help, wants_short_help
from mgc_lightning.training.stop import StopAtSignal, stop_status
from mgc_lightning.training.sweep_trial import ReportToSweep
from mgc_lightning.training.trial_link import trial_link
from mgc_lightning.training.trust import check_size, trusted
from mgc_lightning.training.unfit import said_by_lightning
from mgc_lightning.training.uploads import keep_training, limit_last_upload
from mgc_lightning.training.wandb_mode import keep_offline_without_server, prepare_wandb

logger = logging.getLogger(__name__)

_SWITCHES: dict[str, Any] = {
    "enable_progress_bar": ProgressBar,
    "enable_checkpointing": Checkpoint,
    "logger": (LearningRateMonitor, DeviceStatsMonitor),
}
"""Which callbacks a trainer refuses where it is told to do without something."""
PROGRESS = ("callbacks.TrainingProgress", ProgressBar)
WRITER = ("callbacks.WritePredictions", BasePredictionWriter)
"""What a trainer and `predict` get, unless the config has another of the kind."""
MOST_PROCESSES = 16
"""Of a training on CPUs, each with all of the weights; as many as there are cores, where these are more."""


class SaveRunConfig(SaveConfigCallback):
    """Save the resolved config in the run's folder, and log it, with the command and the version of the code."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write `config.yaml` and `run.json` (`fit`) or `config_<stage>.yaml` and `run_<stage>.json` on rank zero."""
        folder, of_stage = run_folder(trainer), "" if stage == "fit" else f"_{getattr(stage, 'value', stage)}"
        with atomic_path(folder / f"config{of_stage}.yaml") as temporary:
            self.parser.save(self.config, temporary, skip_none=False, overwrite=True, multifile=False)
        origin = describe_origin()
        write_json(folder / f"run{of_stage}.json", origin)
        for experiment in trainer.loggers:
            experiment.log_hyperparams(plain(self.parser, self.config) | {"run": origin})


class MGCCLI(LightningCLI):
    """LightningCLI whose checkpoints never override the config silently, and name no class that the user did not."""

    _read: tuple[str, dict[str, Any]] | None = None
    _init: str | None = None

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
        path = self._named_checkpoint(subcommand)
        if path is None:
            return
        checkpoint = read_or_name_another(path)
        self._read = path, checkpoint
        stored = checkpoint.get(HYPERPARAMETERS_KEY) or {}
        if not isinstance(stored, dict):
            raise MGCError(f"`{path}`: `{HYPERPARAMETERS_KEY}` is {type(stored).__name__}, expected an object")
        if subcommand == "fit":
            self._continue_run(path, checkpoint.get(RUN_KEY))
        parser = self._parser(subcommand)
        given = plain(parser, self.config[subcommand])["model"]
        defaults = plain(parser, parser.get_defaults(skip_validation=True)).get("model", {})
        report: list[str] = []
        if subcommand != "fit":
            stored, report = trusted(stored, given, defaults, imports)
            if "backbone" in stored and given.get("backbone") == defaults.get("backbone"):
                numbers = sum(tensor.numel() for tensor in checkpoint["state_dict"].values())
                check_size(stored["backbone"], 2 * numbers + SMALL)
        model, differences = reconcile(stored, given, defaults, adopt=subcommand != "fit")
        report += differences
        for line in report:
            logger.warning("%s: %s", path, line)
        # The weights come from the checkpoint: what its training started from need not be here.
        self._init, model["init"] = model.get("init"), None
        if model != given:
            self.config = self.parser.parse_object({subcommand: {"model": model}}, self.config)

    def _named_checkpoint(self, subcommand: str) -> str | None:
        """Give the checkpoint that will be read: the one that is named, the last run's, or that of a requeued job."""
        path = self.config[subcommand].get("ckpt_path")
        if subcommand == "fit" and path in (None, "last"):
            if path is None:
                requeued = find_requeued(self.config[subcommand].trainer.default_root_dir)
                return None if requeued is None else str(requeued)
            trainer = plain(self._parser(subcommand), self.config[subcommand])["trainer"]
            if (last := find_last(trainer)) is not None:
                self.config[subcommand]["ckpt_path"] = path = str(last)
        return None if path in (None, "", "best", "last", "hpc", "registry") else str(path)

    def _continue_run(self, path: str, run: Any) -> None:
        """Let the loggers go on with the run that a checkpoint is of."""
        trainer = plain(self._parser("fit"), self.config.fit)["trainer"]
        loggers, line = continued_loggers(trainer["logger"], run, Path(path).resolve(), trainer["default_root_dir"])
        if line:
            logger.info("%s", line)
            keep_metrics(loggers)
            self.config = self.parser.parse_object({"fit": {"trainer": {"logger": loggers}}}, self.config)

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
            said = said_by_lightning(first) or f"{type(first).__name__}: {reason(first)}"
            missing = ". Install it, or take another in the config" if isinstance(first, ImportError) else ""
            raise MGCError(f"The config gives what cannot be used: {said.rstrip('.')}{missing}") from error

    def before_instantiate_classes(self) -> None:
        """Ask for data before anything is made, and leave out the callbacks that the trainer is told to do without.

        Raises:
            MGCError: if the config names no data.
        """
        if self.config[self.subcommand].get("data") is None:
            raise MGCError(
                f"`{self.subcommand}` needs data: give a config, such as `--config quickstart`, or `--data "
                "SyntheticTriplets`"
            )

        trainer = self.config[self.subcommand].trainer
        wanted: list[tuple[str, type]] = [PROGRESS] if trainer.enable_progress_bar is not False else []
        wanted += [WRITER] if self.subcommand == "predict" else []
        more = [{"class_path": path} for path, kind in wanted if not any_of(kind, trainer.callbacks)]
        if more:
            # The whole list: `callbacks+` would replace a list that came from a config.
            own = trainer.callbacks if isinstance(trainer.callbacks, list) else []
            every = [*(spec.as_dict() if isinstance(spec, Namespace) else spec for spec in own), *more]
            self.config = self.parser.parse_object({self.subcommand: {"trainer": {"callbacks": every}}}, self.config)
            trainer = self.config[self.subcommand].trainer
        given = self.config[self.subcommand]
        if self.subcommand != "fit" and not given.get("ckpt_path") and not given.model.get("init"):
            logger.warning("Neither `ckpt_path` nor `model.init` is given: the network knows nothing yet")
        for switch, kind in _SWITCHES.items():
            if trainer.get(switch) is False:
                trainer.callbacks = without(kind, trainer.callbacks, switch)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; its checkpoints are whole or absent, unless the config names another way to write them."""
        if self._init is not None and self.subcommand == "fit":  # kept in the record of the run
            self.config[self.subcommand]["model"]["init"] = self._init
        trainer = super().instantiate_trainer(**kwargs)
        most = max(MOST_PROCESSES, os.cpu_count() or 1)
        if trainer.strategy.root_device.type == "cpu" and trainer.num_devices > most:
            raise MGCError(
                f"`trainer.devices` is the number of processes here; expected at most {most}, got {trainer.num_devices}"
            )
        if any(isinstance(each, WandbLogger) for each in trainer.loggers):
            keep_offline_without_server()
        if self.subcommand == "fit":  # the numbers of the others are what they are run for
            keep_training(trainer.loggers)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO(self._read)
        self._read = None
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except OSError as error:
            if error.filename is not None or disk_trouble(error) is None:
                raise
            with writing(run_folder(self.trainer)):  # a write of a logger, which names no file
                raise

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train.

        Raises:
            MGCError: if none of the checkpoints that it was to write could be written, or another rank was lost.
            SystemExit: if a signal ended the training; its status is 128 and the number of the signal.
        """
        try:
            self.trainer.fit(*args, **kwargs)
        except SIGTERMException as stopped:
            raise SystemExit(stop_status(self.trainer)) from stopped
        except RuntimeError as error:
            if (why := lost_rank(self.trainer, error)) is None:
                raise
            raise MGCError(why) from error
        checkpoints = self.trainer.strategy.checkpoint_io
        if isinstance(checkpoints, AtomicCheckpointIO):
            checkpoints.check_written()

    def predict(self, *args: Any, return_predictions: bool | None = None, **kwargs: Any) -> None:
        """Predict; the predictions are in files, so that none are kept."""
        self.trainer.predict(*args, return_predictions=bool(return_predictions), **kwargs)

    def _set_seed(self) -> None:
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool):
            check_count("seed_everything", seed, 0, 2**32 - 1)
        super()._set_seed()

    def after_instantiate_classes(self) -> None:
        """Keep the resolved hyperparameters in the module, which puts them into its checkpoints."""
        parser = self._parser(self.subcommand)
        self.model.hyperparameters = plain(parser, self.config[self.subcommand])["model"]
        backbone = self.model.hyperparameters.get("backbone")
        if backbone is not None:
            record_init_args(self.model.network.encoder.backbone, backbone.get("init_args") or {})


def run_training(arguments: list[str], kind: type[MGCCLI] = MGCCLI) -> MGCCLI:
    """Run a training subcommand with command-line arguments, by a kind of command line.

    Raises:
        MGCError: if a config, a checkpoint or a class that they name cannot be used; arguments are named as typed.
        SystemExit: after the help.
    """
    if (asked := wants_short_help(arguments)) is not None:
        print(short_help(asked))
        raise SystemExit(0)
    arguments, verbosity = take_verbosity(arguments)
    arguments += QUIET if verbosity < 0 else []
    arguments = ["--help" if argument == FULL else argument for argument in arguments]
    logging.basicConfig(format="%(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(InFlags())
    set_verbosity(verbosity)
    prepare_wandb()
    torch.set_float32_matmul_precision("high")
    try:
        return _run(arguments, kind)
    except MGCError as error:
        usage = f"\n{USAGE.format(arguments[0])}" if UNRECOGNISED in str(error) else ""
        raise MGCError(in_flags(str(error)) + usage) from error
    except OmegaConfBaseException as error:
        raise MGCError(f"The config cannot be resolved: {reason(error)}") from error
    except (RuntimeError, MisconfigurationException) as error:
        if (why := said_by_lightning(error) or loader_trouble(error)) is None:
            raise
        raise MGCError(in_flags(why)) from error
    finally:
        limit_last_upload()


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


def _run(arguments: list[str], kind: type[MGCCLI]) -> MGCCLI:
    register_plugins()
    listen()
    link = trial_link()
    always = [
        StopAtSignal(),
        KeepLastGood(),
        KnowRanks(),
        TrainingMonitor(),
        *([] if link is None else [ReportToSweep(link)]),
    ]
    return kind(
        MGCModule,
        parser_class=ConfigParser,
        parser_kwargs={"parser_mode": "omegaconf+"},
        save_config_callback=SaveRunConfig,
        save_config_kwargs={"save_to_log_dir": False},
        trainer_defaults={"use_distributed_sampler": False, "callbacks": always},
        seed_everything_default=0,
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,
        args=expand_groups(gather_imports(resolve_configs(arguments))),
    )
