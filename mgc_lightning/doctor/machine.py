"""Devices, rasterizers and face models."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mgc_lightning.doctor.check import Check, State
from mgc_lightning.doctor.program import DISTRIBUTION
from mgc_lightning.errors import MGCError


def check_devices() -> Iterable[Check]:
    """List processors and accelerators."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("CPU", State.GOOD, f"{cores} cores, torch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        reason = f"torch is built for CUDA {built}, but finds no device" if built else "torch is a CPU build"
        remedy = "check the driver with nvidia-smi" if built else "https://pytorch.org/get-started has CUDA builds"
        yield Check("CUDA", State.ABSENT, reason, remedy)
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        bf16 = ", bf16" if device.major >= 8 else ""
        size = f"{device.total_memory / 2**30:.0f} GiB"
        detail = f"{device.name}, {size}, compute {device.major}.{device.minor}{bf16}"
        yield Check(f"cuda:{index}", State.GOOD, detail)


def check_rasterizers() -> Iterable[Check]:
    """Ask every backend whether it works on each device; one that works on the CPU is required."""
    import torch

    from mgc_lightning.rendering.rasterizers import available_rasterizers

    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        reasons = available_rasterizers(device)
        works = [name for name, reason in reasons.items() if reason is None]
        yield Check(
            f"on {device}",
            State.GOOD if works else State.BROKEN,
            ", ".join(works) or "; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
            "" if works else "pip install numba" if device == "cpu" else "pip install triton",
        )


def check_face_models() -> Iterable[Check]:
    """Load every face model that has a name here; the embedded one is required."""
    from mgc_lightning.face_models import available_face_models, load_face_model

    for position, (name, path) in enumerate(available_face_models().items()):
        try:
            model = load_face_model(name)
            layout = model.layout
            detail = (
                f"{model.num_verts} vertices, {layout.identity} identity, {layout.expression} expression, "
                f"{layout.albedo} albedo; {model.licence}"
            )
            yield Check(name, State.GOOD, detail)
        except MGCError as error:
            remedy = f"reinstall {DISTRIBUTION}" if position == 0 else f"remove {path} and convert it again"
            yield Check(name, State.BROKEN, str(error), remedy)
