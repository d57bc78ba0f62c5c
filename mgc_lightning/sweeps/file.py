"""Sweep files: the YAML of `wandb sweep`, read and checked."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mgc_lightning.errors import MGCError, check_choice, check_count, not_among
from mgc_lightning.files.places import configs_folder
from mgc_lightning.files.reading import reading
from mgc_lightning.sweeps.space import Parameter, make_parameter
from mgc_lightning.training.config_files import read_config
from mgc_lightning.training.flags import find_config

Method = Literal["random", "grid", "bayes"]
Goal = Literal["minimize", "maximize"]
OURS = ("lightning", "mgc")
"""Names of the program: a trial runs it with the Python of the sweep."""
_KEYS = {"method", "metric", "parameters", "command", "program", "early_terminate", "run_cap"}
_OF_SERVERS = {"name", "project", "entity", "description"}
_HYPERBAND = {"type", "min_iter", "max_iter", "s", "eta", "strict"}


@dataclass(frozen=True)
class Hyperband:
    """Say when trials are compared, and how many go on.

    Attributes:
        first: validations after which they are first compared; then after `eta` times as many, again and again.
        eta: one in so many goes on.
    """

    first: int
    eta: int


@dataclass(frozen=True)
class Sweep:
    """Hold what a sweep file says.

    Attributes:
        path: of the file.
        method: how parameters are chosen.
        metric: name of what is logged and compared, such as `val/posed`.
        goal: whether less or more of it is better.
        parameters: by dotted names.
        command: of a trial, with `${args}` where its parameters go.
        hyperband: early end of trials; None if all run to their end.
        run_cap: number of trials; None if the file gives none.
        project: of W&B, for those that upload.
        plain: the file's content, which a resumed sweep compares.
    """

    path: Path
    method: Method
    metric: str
    goal: Goal
    parameters: dict[str, Parameter]
    command: tuple[str, ...]
    hyperband: Hyperband | None = None
    run_cap: int | None = None
    project: str | None = None
    plain: dict[str, Any] = field(default_factory=dict)


def read_sweep(file: str | Path) -> Sweep:
    """Read a sweep file.

    Args:
        file: path, or name of a shipped one (`quickstart` or `sweeps/quickstart`).

    Raises:
        MGCError: if it is none, with the key and what was expected there.

    Example:
        >>> sweep = read_sweep("sweeps/quickstart")
        >>> sweep.method, sweep.metric, sweep.goal
        ('bayes', 'val/posed', 'minimize')
    """
    shipped = configs_folder() / "sweeps" / f"{file}.yaml"
    path = shipped if shipped.is_file() and not Path(file).is_file() else find_config(str(file))
    content = read_config(path)
    with reading(path, "expected numbers, text, lists and mappings alone"):
        json.dumps(content)  # as the storage and the command lines of trials hold it
    try:
        return _sweep(path, content)
    except MGCError as error:
        raise MGCError(f"{path}: {error}") from error


def _sweep(path: Path, content: Mapping[str, Any]) -> Sweep:
    for key in content:
        if key not in _KEYS | _OF_SERVERS:
            raise MGCError(not_among("A key of a sweep", key, sorted(_KEYS | _OF_SERVERS)))
    for key in ("method", "metric", "parameters"):
        if key not in content:
            raise MGCError(f"A sweep needs `{key}`")
    check_choice("method", content["method"], Method)
    metric = content["metric"]
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        raise MGCError(f"`metric` needs a `name`, such as val/posed; got {metric!r}")
    goal = metric.get("goal", "minimize")
    check_choice("metric.goal", goal, Goal)
    parameters = {made.name: made for made in _parameters(content["parameters"], "")}
    if content["method"] == "grid":
        for made in parameters.values():
            made.grid()
    run_cap = content.get("run_cap")
    if run_cap is not None:
        check_count("run_cap", run_cap)
    return Sweep(
        path=path,
        method=content["method"],
        metric=metric["name"],
        goal=goal,
        parameters=parameters,
        command=_command(content),
        hyperband=_hyperband(content.get("early_terminate")),
        run_cap=run_cap,
        project=content.get("project"),
        plain=dict(content),
    )


def _parameters(entries: Any, before: str) -> list[Parameter]:
    if not isinstance(entries, Mapping) or not entries:
        raise MGCError(f"`{before or 'parameters'}` must be a mapping of parameters; got {entries!r}")
    made: list[Parameter] = []
    for key, entry in entries.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(entry, Mapping) and "parameters" in entry:
            made += _parameters(entry["parameters"], name)
        else:
            made.append(make_parameter(name, entry))
    return made


def _hyperband(entry: Any) -> Hyperband | None:
    """Give W&B's brackets: from `min_iter` on by factors of `eta`, or `s` of them below `max_iter`."""
    if entry is None:
        return None
    if not isinstance(entry, Mapping) or entry.get("type") != "hyperband":
        raise MGCError(f"`early_terminate` must be of the type hyperband; got {entry!r}")
    for key in entry:
        if key not in _HYPERBAND:
            raise MGCError(not_among("A key of `early_terminate`", key, sorted(_HYPERBAND)))
    eta = entry.get("eta", 3)
    check_count("early_terminate.eta", eta, least=2)
    if ("min_iter" in entry) == ("max_iter" in entry):
        raise MGCError("`early_terminate` needs either `min_iter`, or `max_iter` with `s`")
    if "min_iter" in entry:
        check_count("early_terminate.min_iter", entry["min_iter"])
        return Hyperband(entry["min_iter"], eta)
    for key in ("max_iter", "s"):
        check_count(f"early_terminate.{key}", entry.get(key))
    return Hyperband(max(1, entry["max_iter"] // eta ** entry["s"]), eta)


def _command(content: Mapping[str, Any]) -> tuple[str, ...]:
    command = content.get("command", ["${env}", "${interpreter}", "${program}", "${args}"])
    if not isinstance(command, list) or not command or not all(isinstance(w, str | int | float) for w in command):
        raise MGCError(f"`command` must be a list of words; got {command!r}")
    words = [str(word) for word in command]
    if not any(word.startswith("${args") for word in words):
        raise MGCError("`command` needs `${args}`, where the parameters of a trial go")
    if "${program}" in words and not isinstance(content.get("program"), str):
        raise MGCError("`program` is missing, which `command` names")
    return tuple(str(content["program"]) if word == "${program}" else word for word in words)


def trial_command(sweep: Sweep, values: Mapping[str, Any]) -> list[str]:
    """Give the command line of a trial, as W&B's agent composes it; our own program runs on this Python.

    Args:
        sweep: whose command it is.
        values: of the parameters.

    Raises:
        MGCError: if the command has a macro that is not known.

    Example:
        >>> line = trial_command(read_sweep("sweeps/quickstart"), {"model.image_size": 64})
        >>> line[1:4], line[-1].lstrip("-")
        (['-m', 'mgc_lightning.cli', 'fit'], 'model.image_size=64')
    """
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    macros = {
        "${env}": [],
        "${interpreter}": [sys.executable],
        "${args}": [f"--{name}={word}" for name, word in words.items()],
        "${args_no_equals}": [part for name, word in words.items() for part in (f"--{name}", word)],
        "${args_no_hyphens}": [f"{name}={word}" for name, word in words.items()],
        "${args_no_boolean_flags}": [
            f"--{name}" if values[name] is True else f"--{name}={word}"
            for name, word in words.items()
            if values[name] is not False
        ],
        "${args_json}": [json.dumps(dict(values))],
    }
    line: list[str] = []
    for word in sweep.command:
        filled = re.sub(r"\$\{envvar:([A-Z0-9_]*)\}", lambda found: os.environ.get(found[1], found[1]), word)
        if filled.startswith("${") and filled not in macros:
            raise MGCError(not_among("A macro of `command`", filled, macros))
        line += macros.get(filled, [filled])
    if line[0] in OURS:
        line[:1] = [sys.executable, "-m", "mgc_lightning.cli"]
    return line
