"""Run a sweep: trials as processes, some at a time, ended and counted, and what they found."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.files.atomic import writing
from mgc_lightning.files.processes import only_writer
from mgc_lightning.sweeps.file import Sweep, read_sweep, trial_command
from mgc_lightning.sweeps.pictures import draw_importances, draw_parallel
from mgc_lightning.sweeps.results import SweepResult, TrialResult, shown, write_best, write_trials
from mgc_lightning.sweeps.study import SweepStudy
from mgc_lightning.training.trial_link import OF_WANDB, TrialLink, storing

LOOK = 0.2
"""Seconds between two looks at the running trials."""
PATIENCE = 60.0
"""Seconds that stopped trials get to end by themselves."""
HOPELESS = 5
"""Failures, and nothing else, after which a sweep gives up."""


@dataclass
class _Running:
    trial: Any
    process: subprocess.Popen[bytes]
    slot: int


def run_sweep(
    file: str | Path,
    output: str | Path | None = None,
    trials: int | None = None,
    jobs: int = 1,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> SweepResult:
    """Run a sweep file of Weights & Biases on Optuna, without account or server.

    Every trial is a process with its log in `OUTPUT/trials/NUMBER`. The storage is `OUTPUT/sweep.db`; a sweep that was
    stopped or killed goes on there: trials that it left unfinished are done again, and do not count.

    Args:
        file: path of a sweep file, or the name of a shipped one (`sweeps/quickstart`).
        output: folder; `runs/sweeps/NAME` if not given.
        trials: that shall have ended, those of before included; if not given, the file's `run_cap`, or the whole grid.
        jobs: trials at a time; with several GPUs each job has one of them.
        seed: of the draws.
        say: takes a line at every event.

    Raises:
        MissingExtraError: without Optuna.
        MGCError: if the file is no sweep, the folder is that of another, or the first trials all failed.
        SystemExit: when a signal ended it, with 128 and its number.

    Example:
        >>> run_sweep("sweeps/quickstart", trials=20, jobs=2).best.values  # doctest: +SKIP
        {'model.optimizer.init_args.lr': 0.0012, ...}
    """
    check_count("jobs", jobs)
    sweep = read_sweep(file)
    trial_command(sweep, {})
    folder = Path(output) if output is not None else Path("runs") / "sweeps" / sweep.path.stem
    with only_writer(folder):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        study = SweepStudy(sweep, folder, seed)
        try:
            with storing(study.address):
                return _Runner(study, _number(study, trials), jobs, say).run()
        finally:
            study.close()


def _number(study: SweepStudy, trials: int | None) -> int:
    grid = study.combinations()
    wanted = trials if trials is not None else study.sweep.run_cap if study.sweep.run_cap is not None else grid
    if wanted is None:
        raise MGCError(f"{study.sweep.path}: how many trials? Give `trials`, or `run_cap` in the file")
    check_count("trials", wanted)
    return wanted if grid is None else min(wanted, grid)


class _Runner:
    def __init__(self, study: SweepStudy, wanted: int, jobs: int, say: Callable[[str], None]) -> None:
        self.study, self.wanted, self.jobs, self.say = study, wanted, jobs, say
        self.running: dict[int, _Running] = {}
        self.received = 0
        self.gpus = _gpus() if jobs > 1 else []

    def run(self) -> SweepResult:
        study, sweep = self.study, self.study.sweep
        redone = study.redo_killed()
        before = study.counted()
        if before or redone:
            again = f"; {redone} that were killed are done again" if redone else ""
            self.say(f"{study.folder}: {before} trials are there{again}")
        with self._listening():
            try:
                while not self.received and (self._start() or self.running):
                    time.sleep(LOOK)
                    self._collect()
                    self._give_up_if_hopeless()
            finally:
                killed = self._stop()
        if self.received:
            self.say(f"Stopped; {killed} running trials will be done again. The same command goes on.")
            raise SystemExit(128 + self.received)
        return _finish(sweep, study)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number

    def _start(self) -> bool:
        """Begin as many trials as may run; tell whether one began."""
        began = False
        while len(self.running) < self.jobs and self.study.counted() < self.wanted:
            drawn = self.study.draw()
            if drawn is None:
                break
            began = True
            trial, values = drawn
            slot = min(set(range(self.jobs)) - {other.slot for other in self.running.values()})
            words = ", ".join(f"{name}={shown(value)}" for name, value in values.items())
            self.say(f"trial {trial.number}: {words}")
            self.running[trial.number] = _Running(trial, self._process(trial, values, slot), slot)
        return began

    def _process(self, trial: Any, values: dict[str, Any], slot: int) -> subprocess.Popen[bytes]:
        sweep, folder = self.study.sweep, self.study.trial_folder(trial.number)
        shutil.rmtree(folder, ignore_errors=True)
        with writing(folder):
            folder.mkdir(parents=True)
        line = trial_command(sweep, values)
        if not any(word.startswith("--trainer.default_root_dir") for word in line):
            line.append(f"--trainer.default_root_dir={folder}")
        hyperband = sweep.hyperband
        link = TrialLink(
            storage=self.study.address,
            trial=trial._trial_id,
            metric=sweep.metric,
            first=0 if hyperband is None else hyperband.first,
            eta=2 if hyperband is None else hyperband.eta,
            parent=os.getpid(),
        )
        environment = {name: value for name, value in os.environ.items() if name != OF_WANDB} | link.environment()
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self.jobs)))
        if len(self.gpus) > 1:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        with writing(folder / "log.txt"):
            log = (folder / "log.txt").open("wb")
        with log:
            try:
                # In a session of its own: Ctrl-C is for the sweep, which ends its trials itself.
                return subprocess.Popen(
                    line,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                self.study.kill(trial)
                raise MGCError(f"{sweep.path}: `command` cannot be run: {line[0]}: {error.strerror}") from error

    def _collect(self) -> None:
        for number, running in list(self.running.items()):
            status = running.process.poll()
            if status is None:
                continue
            del self.running[number]
            self.say(_told(self.study.end(number, status), self.study.sweep.metric))

    def _give_up_if_hopeless(self) -> None:
        results = [trial for trial in self.study.results() if trial.state not in ("killed", "running")]
        if len(results) >= HOPELESS and all(trial.state == "failed" for trial in results):
            raise MGCError(
                f"The first {len(results)} trials have failed, and no other came to its end. The last said: "
                f"{_last_line(results[-1].log)} ({results[-1].log}). Remove {self.study.folder} to begin anew"
            )

    def _stop(self) -> int:
        """End what runs; those trials are done again when the sweep goes on."""
        self._collect()
        for running in self.running.values():
            running.process.terminate()
        deadline = time.monotonic() + PATIENCE
        for running in self.running.values():
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()
            self.study.kill(running.trial)
        count = len(self.running)
        self.running.clear()
        return count


def _told(trial: TrialResult, metric: str) -> str:
    score = "" if trial.score is None else f", {metric} {trial.score:.4g}"
    line = f"trial {trial.number}: {trial.state}{score} after {trial.validations} validations, {trial.seconds:.0f} s"
    if trial.state != "failed":
        return line
    said = _last_line(trial.log)
    return f"{line}, status {trial.status}: {trial.log}" + (f": {said}" if said else "")


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("error:")]
    return (told or lines or [""])[-1][:300]


def _gpus() -> list[str]:
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def _finish(sweep: Sweep, study: SweepStudy) -> SweepResult:
    """Write table, pictures and the best config."""
    result = SweepResult(sweep, study.results(), study.importances())
    files = {"trials": write_trials(study.folder / "trials.csv", result)}
    if result.best is not None:
        files["parallel coordinates"] = draw_parallel(study.folder / "parallel.png", result)
        if result.importances:
            files["importances"] = draw_importances(study.folder / "importances.png", result)
        files["best"] = write_best(study.folder / "best.yaml", sweep, result.best)
    return SweepResult(sweep, result.trials, result.importances, files)
