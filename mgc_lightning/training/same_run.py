"""A resumed run is the same run: its folder, the ids of its loggers, its best score."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

RUN_KEY = "mgc_run"
"""Entry of a checkpoint that says which run wrote it."""
_WORD = re.compile(r"[\w.+@ -]{1,128}")
_RENAMED = {"best_model_path", "kth_best_model_path", "last_model_path"}


def describe_run(trainer: Trainer) -> list[dict[str, Any]]:
    """Give class, name and version of every logger, as plain values for a checkpoint.

    Example:
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> describe_run(Trainer(logger=CSVLogger("runs", name="mgcnet", version=3), accelerator="cpu"))
        [{'class': 'CSVLogger', 'name': 'mgcnet', 'version': 3}]
    """
    return [
        {
            "class": type(one).__name__,
            "name": None if one.name is None else str(one.name),
            "version": one.version if isinstance(one.version, int) else one.version and str(one.version),
        }
        for one in trainer.loggers
    ]


def continued_loggers(configured: Any, run: Any, path: Path, root: str | None) -> tuple[Any, str]:
    """Give a config's loggers the ids and the folder of the run that wrote a checkpoint.

    A logger that the config gives an id or a version of its own, or another project, starts a run of its own.

    Args:
        configured: `trainer.logger` of the config, as plain values.
        run: what `describe_run` stored; a checkpoint is a file of others, so that what is none of it counts as none.
        path: the checkpoint; its place tells where the run's folder is now. Nothing that it holds does.
        root: `trainer.default_root_dir`.

    Returns:
        The loggers, and a line that says what is continued, empty if nothing is.

    Example:
        >>> run = [{"class": "WandbLogger", "name": "mgc", "version": "k3x9"}]
        >>> ours = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"project": "mgc"}}
        >>> loggers, line = continued_loggers(ours, run, Path("/disk/runs/mgc/k3x9/checkpoints/last.ckpt"), None)
        >>> loggers["init_args"], line
        ({'project': 'mgc', 'version': 'k3x9', 'save_dir': '/disk/runs'}, 'The run mgc/k3x9 in /disk/runs goes on.')
    """
    run = _plain_run(run)
    if configured is False or not run:
        return configured, ""
    if configured is None or configured is True:  # Lightning's own choice: say which it was
        if run[0]["class"] not in ("CSVLogger", "TensorBoardLogger"):
            return configured, ""
        arguments = {"save_dir": root or str(Path.cwd()), "name": run[0]["name"]}
        configured = {"class_path": f"lightning.pytorch.loggers.{run[0]['class']}", "init_args": arguments}
    several = isinstance(configured, list)
    line, result = "", []
    for index, entry in enumerate(configured if several else [configured]):
        stored = run[index] if index < len(run) else None
        entry, told = _continued(entry, stored, path) if stored else (entry, "")
        line = line or told
        result.append(entry)
    return (result if several else result[0]), line


def _plain_run(run: Any) -> list[dict[str, Any]]:
    """Take names that are words, and lead nowhere else, and versions that are words or numbers."""
    if not isinstance(run, list):
        return []
    for one in run:
        values = [one.get(key) for key in ("class", "name", "version")] if isinstance(one, dict) else [()]
        for value in values:
            if not (value is None or type(value) is int or (isinstance(value, str) and _plain_name(value))):
                return []
    return run


def _plain_name(name: str) -> bool:
    # Nothing that a config would interpolate, either.
    return all(_WORD.fullmatch(part) and part.strip(".") for part in name.split("/"))


def _continued(entry: dict[str, Any], stored: dict[str, Any], path: Path) -> tuple[dict[str, Any], str]:
    arguments = dict(entry.get("init_args") or {})
    key = "project" if stored["class"] == "WandbLogger" else "name"
    own = arguments.get("version") is not None or arguments.get("id") is not None
    other = arguments.get(key) is not None and str(arguments[key]) != stored["name"]
    if own or other or stored["version"] is None or entry["class_path"].rpartition(".")[2] != stored["class"]:
        return entry, ""
    name, version = stored["name"], stored["version"]
    arguments["version"] = version
    folder = version if isinstance(version, str) else f"version_{version}"
    where = path.parent.parent
    if (where.name, where.parent.name) == (folder, name):
        arguments["save_dir"] = str(where.parent.parent)
    return entry | {"init_args": arguments}, f"The run {name}/{version} in {arguments.get('save_dir') or '.'} goes on."


@rank_zero_only
def keep_metrics(configured: Any) -> None:
    """Move the table of an interrupted run aside: CSVLogger starts its own anew, and would remove it."""
    for entry in configured if isinstance(configured, list) else [configured]:
        if not isinstance(entry, dict) or not entry["class_path"].endswith(".CSVLogger"):
            continue
        arguments = entry["init_args"]
        version = arguments.get("version")
        folder = version if isinstance(version, str) else f"version_{version}"
        table = Path(arguments["save_dir"]) / str(arguments.get("name") or "") / folder / "metrics.csv"
        number = 1
        while (kept := table.with_name(f"metrics-{number}.csv")).exists():
            number += 1
        if table.is_file():
            table.replace(kept)


def rehome(checkpoint: dict[str, Any], trainer: Trainer) -> None:
    """Let ModelCheckpoints keep their best scores where their folder has another spelling than when they were stored.

    Lightning forgets all but the last path if the folder's name differs by a letter: a run resumed from another
    working folder, or moved, would take its next checkpoint for the best, and export a worse network.
    """
    states = checkpoint.get("callbacks") or {}
    for callback in trainer.checkpoint_callbacks:
        state = states.get(callback.state_key)
        if not isinstance(callback, ModelCheckpoint) or not isinstance(state, dict) or not callback.dirpath:
            continue
        here = Path(callback.dirpath)
        last = here / f"{callback.CHECKPOINT_NAME_LAST}{callback.FILE_EXTENSION}"
        if not state.get("last_model_path") and last.is_file() and _same(state.get("dirpath"), here, state):
            state["last_model_path"] = str(last)  # else the next would be called last-v1
        if state.get("dirpath") == callback.dirpath or not _same(state.get("dirpath"), here, state):
            continue
        for key in _RENAMED & state.keys():
            state[key] = state[key] and str(here / Path(state[key]).name)
        state["best_k_models"] = {str(here / Path(old).name): score for old, score in state["best_k_models"].items()}
        state["dirpath"] = callback.dirpath


def _same(before: Any, here: Path, state: dict[str, Any]) -> bool:
    """Tell whether a folder is the one of before, or holds what was in it."""
    if before and Path(before).resolve() == here.resolve():
        return True
    names = {Path(path).name for path in (state.get("best_k_models") or {})}
    return bool(names) and all((here / name).is_file() for name in names)
