"""What a long training would stumble over, looked for before it: files, memory, one step, disk, logger, time."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import reason
from mgc_lightning.files.wandb_server import has_key, server_address, unreachable
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.cli import run_training
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.resolve import Made, arguments_of
from mgc_lightning.training.run_folder import run_folder

HERE = ("--trainer.accelerator=auto", "--trainer.devices=1", "--trainer.num_nodes=1", "--trainer.strategy=auto")
"""What is tried where a config's own devices are not there."""
STEPS = 3
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """Tell one thing that was looked at.

    Attributes:
        name: of the thing.
        good: whether a training can have it so; None if it was not tried.
        detail: what was found.
    """

    name: str
    good: bool | None
    detail: str


@dataclass(frozen=True)
class Step:
    """Tell what a step costs.

    Attributes:
        batch_size: samples a process.
        seconds: of one step, loading included.
        memory: highest in bytes: of the device on CUDA, of the process else.
        loss: of the last step.
    """

    batch_size: int
    seconds: float
    memory: int
    loss: float


def preflight(words: Sequence[str]) -> list[Finding]:
    """Try what a config needs, at its own size, without training or writing a run.

    Args:
        words: names or files of configs, later ones laid over earlier ones; and values KEY=VALUE.

    Example:
        >>> small = ["model.image_size=32", "model.backbone.width=4", "data.batch_size=1", "data.val_size=1"]
        >>> findings = preflight(["quickstart", "loggers/none", "trainers/cpu", *small])
        >>> [finding.name for finding in findings if not finding.good]
        []
    """
    arguments = [*arguments_of(words), "-q"]
    findings: list[Finding] = []
    made = _made(arguments, findings)
    if made is None:
        return findings
    trainer, module, data = made.trainer, made.model, made.datamodule
    model = module.network.face_model
    groups = ", ".join(f"{size} {name}" for name, size in list(model.layout.sizes.items())[:3])
    findings.append(Finding("face model", True, f"{model.name}, {model.num_verts:,} vertices, {groups}"))
    findings.append(_tried("data", lambda: _attach(trainer, module, data)))
    steps: list[Step] = []
    if findings[-1].good:
        findings.append(_tried("steps", lambda: _train(trainer, module, data, steps)))
        findings.append(_tried("memory", lambda: _memory(module, steps)) if steps else _skipped("memory"))
        findings.append(_tried("time", lambda: _duration(trainer, module, data, steps)) if steps else _skipped("time"))
    else:
        findings += [_skipped(name) for name in ("steps", "memory", "time")]
    findings.append(_tried("checkpoints", lambda: _checkpoints(trainer, module)))
    findings.append(_tried("logger", lambda: _logger(trainer)))
    return findings


def _made(arguments: list[str], findings: list[Finding]) -> Any:
    """Make trainer, model and data; on this machine's devices where the config's are not there."""
    try:
        made = run_training(arguments, Made)
    except MGCError as error:
        if not any(word in str(error) for word in ("accelerator", "backend", "devices", "gpu", "GPU", "strategy")):
            findings.append(Finding("config", False, str(error)))
            return None
        findings.append(Finding("devices", False, f"{str(error).rstrip('.!')}; the rest is tried on what is here"))
        try:
            made = run_training([*arguments, *HERE], Made)
        except MGCError as second:
            findings.append(Finding("config", False, str(second)))
            return None
    trainer = made.trainer
    where = f"{trainer.num_devices * trainer.num_nodes} x {trainer.strategy.root_device.type}"
    findings.append(Finding("config", True, f"resolved; {where}, precision {trainer.precision}"))
    return made


def _tried(name: str, function: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, function())
    except Exception as error:  # the reason to look: whatever it is, a training would have ended with it
        told = str(error) if isinstance(error, MGCError) else f"{type(error).__name__}: {reason(error)}"
        return Finding(name, False, told)


def _skipped(name: str) -> Finding:
    return Finding(name, None, "not tried")


def _attach(trainer: Trainer, module: MGCModule, data: LightningDataModule) -> str:
    trainer.strategy.connect(module)
    module.trainer = data.trainer = trainer
    module.to(trainer.strategy.root_device)
    module.setup("fit")
    data.prepare_data()
    data.setup("fit")
    batch = _batches(trainer, data)
    first = next(batch)
    size = f"{first.images.shape[1]} views of {first.images.shape[-1]} px"
    known = getattr(data, "train_size", None) or getattr(data, "sizes", {}).get("train")
    return f"{type(data).__name__}{f', {known:,} samples' if known else ''}, {size}"


def _batches(trainer: Trainer, data: LightningDataModule) -> Iterator[FaceTriplet]:
    while True:
        for batch in data.train_dataloader():
            moved = data.transfer_batch_to_device(batch, trainer.strategy.root_device, 0)
            yield data.on_after_batch_transfer(moved, 0)


def _train(trainer: Trainer, module: MGCModule, data: LightningDataModule, steps: list[Step]) -> str:
    """Train a few steps at half the batch size and at the whole, and leave the weights as they were."""
    weights = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
    size = int(getattr(data, "batch_size", 1))
    for batch_size in dict.fromkeys((max(1, size // 2), size)):
        data.batch_size = batch_size  # type: ignore[attr-defined]
        steps.append(_measure(trainer, module, data, batch_size))
    module.load_state_dict(weights)
    whole = steps[-1]
    if whole.loss != whole.loss or abs(whole.loss) == float("inf"):
        raise MGCError(f"the loss is {whole.loss} after {STEPS} steps")
    return f"forward and backward, loss {whole.loss:.4g}, {whole.seconds:.3g} s a step of {size} samples"


def _measure(trainer: Trainer, module: MGCModule, data: LightningDataModule, batch_size: int) -> Step:
    optimizer = module.optimizer(filter(lambda p: p.requires_grad, module.network.parameters()))
    module.train()
    device, batches, times, loss = trainer.strategy.root_device, _batches(trainer, data), [], torch.zeros(())
    with _peak(device) as peak:
        for _ in range(STEPS + 1):
            began = time.perf_counter()
            batch = next(batches)
            with trainer.precision_plugin.forward_context():
                report = module.objective(module.reconstruct_views(batch), batch, progress=0.0)
            loss = report.total
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - began)
    return Step(batch_size, sorted(times[1:])[STEPS // 2], peak[0], float(loss.detach()))


@contextmanager
def _peak(device: torch.device) -> Iterator[list[int]]:
    """Watch memory: that of the device on CUDA, that of the process else."""
    peak = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak[0] = torch.cuda.max_memory_reserved(device)
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], _resident())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # no Linux: the highest of the process so far
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _memory(module: MGCModule, steps: list[Step]) -> str:
    """Tell the measured memory, and where a device has an end, the batch size that would reach it."""
    told = ", ".join(f"{step.memory / GIB:.2f} GiB at batch size {step.batch_size}" for step in steps)
    whole, device = steps[-1], module.device
    if device.type != "cuda":
        return f"{told} (the whole process)"
    total = torch.cuda.get_device_properties(device).total_memory
    if len(steps) > 1 and whole.memory > steps[0].memory:
        each = (whole.memory - steps[0].memory) / (whole.batch_size - steps[0].batch_size)
        told += f"; about {int(whole.batch_size + (0.95 * total - whole.memory) / each)} fit"
    return f"{told}, of {total / GIB:.0f} GiB"


def _duration(trainer: Trainer, module: MGCModule, data: LightningDataModule, steps: list[Step]) -> str:
    """Estimate the whole training: its steps, and its validations by a batch of them."""
    count, epoch = trainer.max_steps, len(data.train_dataloader())
    if count < 0:
        count = -1 if (trainer.max_epochs or -1) < 0 else int(trainer.max_epochs or 0) * epoch
    if count < 0:
        return f"{steps[-1].seconds:.3g} s a step; nothing ends this training"
    loaders = data.val_dataloader()
    validations, seconds = _validations(trainer, count, epoch), 0.0
    if validations and loaders:
        began = time.perf_counter()
        batch = data.transfer_batch_to_device(next(iter(loaders)), trainer.strategy.root_device, 0)
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            module.eval().reconstruct_views(data.on_after_batch_transfer(batch, 0))
        limit = trainer.limit_val_batches
        batches = min(len(loaders), limit) if isinstance(limit, int) else len(loaders) * limit
        seconds = batches * (time.perf_counter() - began)
    total = count * steps[-1].seconds + validations * seconds
    return f"about {_hours(total)}: {count:,} steps and {validations} validations, pictures and exports aside"


def _validations(trainer: Trainer, count: int, epoch: int) -> int:
    interval = trainer.val_check_interval
    if trainer.check_val_every_n_epoch is None and isinstance(interval, int):
        return count // max(interval, 1)
    every = trainer.check_val_every_n_epoch or 1
    share = interval if isinstance(interval, float) else 1.0
    return int(count / max(epoch, 1) / every / max(share, 1e-9)) if isinstance(interval, int | float) else 0


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"


def _checkpoints(trainer: Trainer, module: MGCModule) -> str:
    """Write and remove a file where checkpoints will be, and compare their size with the room there."""
    keeping = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    place = next((Path(each.dirpath) for each in keeping if each.dirpath), None)
    if not keeping:
        return "none are written"
    # The folder of a W&B run has no name yet; it lies below this one.
    wandb = trainer.loggers and isinstance(trainer.loggers[0], WandbLogger)
    folder = place or (Path(trainer.loggers[0].save_dir or trainer.default_root_dir) if wandb else run_folder(trainer))
    there = next(each for each in (folder, *folder.parents, Path()) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise MGCError(f"{folder} cannot be written to" + ("" if there.is_dir() else f": {there} is a file"))
    probe = there / f".mgc-room-{os.getpid()}"
    try:
        probe.write_bytes(b"0" * 4096)
    except OSError as error:
        raise MGCError(f"{folder} cannot be written to: {reason(error)}") from error
    finally:
        probe.unlink(missing_ok=True)
    numbers = sum(p.numel() for p in module.parameters()) * 3 + sum(b.numel() for b in module.buffers())
    kept = sum(max(each.save_top_k, 1) + int(bool(each.save_last)) for each in keeping) + 1
    free, wanted = shutil.disk_usage(there).free, numbers * 4 * kept
    many = "all" if any(each.save_top_k < 0 for each in keeping) else kept - 1
    told = f"{folder}: {numbers * 4 / 2**20:.0f} MiB each, {many} kept, {free / GIB:.1f} GiB free"
    if wanted > free:
        raise MGCError(f"{told}: not enough room")
    return told


def _logger(trainer: Trainer) -> str:
    if not trainer.loggers:
        return "none"
    told = []
    for each in trainer.loggers:
        name = type(each).__name__
        if not isinstance(each, WandbLogger):
            told.append(f"{name}, {each.save_dir}")
        elif os.environ.get("WANDB_MODE", "online") != "online" or not has_key():
            told.append(f"{name}, offline: `wandb sync` uploads its runs")
        elif (why := unreachable()) is None:
            told.append(f"{name}, {server_address()} answers")
        else:
            raise MGCError(f"{name}: {server_address()} cannot be reached ({why})")
    return "; ".join(told)
