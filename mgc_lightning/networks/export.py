"""Exports of a network: ONNX, torch.export and safetensors, each run and compared with the module."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import class_path, is_ours
from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checksum import seal
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork
from mgc_lightning.networks.files import load_network, write_network
from mgc_lightning.networks.settings import ExportFormat
from mgc_lightning.networks.stored import STEM

OUTPUTS = ("coefficients", "verts", "landmarks")
"""Names of the outputs of every export, in order."""
TOLERANCES = {"coefficients": 1e-4, "verts": 1e-2, "landmarks": 1e-2}
"""Largest difference to the module: coefficients relative to their size where that exceeds 1; mm; px."""
OPSET = 18
BATCHES = (1, 3)

Runner = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class ExportedFile:
    """Describe one export that was run.

    Attributes:
        format: of the file.
        path: where it lies.
        differences: the largest difference to the module by output, over all tried batch sizes.
    """

    format: ExportFormat
    path: Path
    differences: dict[str, float]

    def __str__(self) -> str:
        """Say format, size, differences and path in a line."""
        size = self.path.stat().st_size / 2**20
        units = {"coefficients": "", "verts": " mm", "landmarks": " px"}
        parts = ", ".join(f"{name} {value:.1e}{units[name]}" for name, value in self.differences.items())
        return f"{self.format:<12} {size:7.1f} MiB   max difference: {parts}   {self.path}"


@dataclass(frozen=True)
class ExportReport:
    """List the exports of one network.

    Attributes:
        folder: where they lie.
        files: one entry a format.
        notes: what a user should know about them.

    Example:
        >>> file = ExportedFile("onnx", Path("exports/network.onnx"), {"coefficients": 2e-6, "verts": 3e-4})
        >>> report = ExportReport(Path("exports"), [file])
        >>> {file.format: file.differences["verts"] for file in report.files}  # mm
        {'onnx': 0.0003}
    """

    folder: Path
    files: list[ExportedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Give a line a file, then the notes."""
        return "\n".join([*map(str, self.files), *self.notes])


def export_network(
    network: FaceNetwork,
    folder: str | os.PathLike[str],
    formats: Sequence[ExportFormat] = get_args(ExportFormat),
) -> ExportReport:
    """Export a network, run every export on batches of 1 and 3, and compare it with the module.

    Input is `images` (B, 3, S, S), RGB in [0, 1]; outputs are `coefficients` (B, C), `verts` (B, N, 3) in
    mm and `landmarks` (B, 68, 2) in px. Exports are float32 on the CPU; each carries `FaceNetwork.config`
    as metadata, and the folder holds it as `network.json`. The network that is passed stays as it is.

    Args:
        network: the module to export.
        folder: created if need be; files of the same names are replaced.
        formats: some of `onnx` (network.onnx, dynamic batch), `torch` (network.pt2 of torch.export,
            dynamic batch) and `safetensors` (network.safetensors, weights and description).

    Raises:
        MGCError: if a format is unknown, an export differs from the module by more than `TOLERANCES`, or the folder
            cannot be written.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import Encoder, ResNet, load_face_model
        >>> face_model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), face_model.layout.total), face_model, image_size=32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = export_network(network, folder, formats=["safetensors"])
        >>> report.files[0].differences["verts"]
        0.0
    """
    for name in formats:
        check_choice("formats", name, ExportFormat)
    if not formats:
        raise MGCError(f"`formats` must be some of {', '.join(FORMATS)}; got none")
    target = Path(folder)
    module = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    report = ExportReport(target, notes=_notes(module, formats))
    try:
        for name in dict.fromkeys(formats):
            report.files.append(_export(module, name, target))
        with atomic_path(target / f"{STEM}.json") as temporary:
            temporary.write_text(json.dumps(module.config, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise MGCError(f"Could not write to {target}: {error}") from error
    return report


def _export(module: FaceNetwork, name: ExportFormat, folder: Path) -> ExportedFile:
    suffix, write = FORMATS[name]
    path = folder / f"{STEM}{suffix}"
    with atomic_path(path) as temporary, quiet():
        run = write(module, temporary)
        differences = compare(module, run)
        _check(name, path, differences)
    return ExportedFile(name, path, differences)


def compare(
    network: FaceNetwork,
    run: Runner,
    batches: Sequence[int] = BATCHES,
    images: Float[Tensor, "B 3 S S"] | None = None,
) -> dict[str, float]:
    """Measure the largest differences between a network and another form of it on seeded images.

    Coefficients are compared relative to their size where that exceeds 1: the distance counts thousands of
    mm.

    Args:
        network: the module.
        run: maps images (B, 3, S, S) to the same outputs.
        batches: sizes B that are tried.
        images: to compare on, instead of noise in these batches.

    Returns:
        One number for each of `OUTPUTS`; infinity where shapes differ or a value is not finite.

    Example:
        >>> from mgc_lightning import Encoder, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32).eval()
        >>> compare(network, network, batches=[1])  # with itself
        {'coefficients': 0.0, 'verts': 0.0, 'landmarks': 0.0}
    """
    generator = torch.Generator().manual_seed(0)
    worst = dict.fromkeys(OUTPUTS, 0.0)
    side = network.image_size
    for each in [torch.rand(n, 3, side, side, generator=generator) for n in batches] if images is None else [images]:
        with torch.no_grad():
            results, expected = run(each), network(each)
        for name, found, truth in zip(OUTPUTS, results, expected, strict=True):
            if found.shape != truth.shape or not bool(found.isfinite().all()):
                worst[name] = float("inf")
                continue
            difference = (found - truth).abs()
            if name == "coefficients":
                difference = difference / truth.abs().clamp(min=1.0)
            worst[name] = max(worst[name], float(difference.max()))
    return worst


def _check(name: ExportFormat, path: Path, differences: dict[str, float]) -> None:
    bad = {key: value for key, value in differences.items() if not value <= TOLERANCES[key]}
    if bad:
        raise MGCError(
            f"The {name} export differs from the network by {bad}, allowed are {TOLERANCES}; {path} was not written"
        )


def _notes(module: FaceNetwork, formats: Sequence[ExportFormat]) -> list[str]:
    notes = []
    if {"onnx", "torch"} & set(formats):
        model = module.face_model
        notes.append(
            f"ONNX and torch.export files hold the geometry of face model `{model.name}` (licence: {model.licence})."
        )
    backbone = module.encoder.backbone
    trouble = rebuilding_trouble(backbone) if "safetensors" in formats else None
    if trouble is not None:
        notes.append(
            f"The safetensors file has the weights, but no program can build its backbone "
            f"`{class_path(type(backbone))}` again. {trouble}"
        )
    elif not is_ours(type(backbone)):
        notes.append(
            f"To load the safetensors file, name the module of its backbone: `imports={[type(backbone).__module__]!r}`"
        )
    return notes


def _write_safetensors(module: FaceNetwork, path: Path) -> Runner:
    write_network(module, path)
    backbone = module.encoder.backbone
    if rebuilding_trouble(backbone) is not None:
        return module
    return load_network(path, module.face_model, imports=() if is_ours(type(backbone)) else [type(backbone).__module__])


def _dynamic_shapes() -> dict[str, dict[int, torch.export.Dim]]:
    return {"images": {0: torch.export.Dim("batch", min=1, max=65536)}}


def _example(module: FaceNetwork) -> Tensor:
    # Two images: torch.export would take a batch of one for a constant.
    return torch.zeros(2, 3, module.image_size, module.image_size)


def _write_torch(module: FaceNetwork, path: Path) -> Runner:
    program = torch.export.export(module, (_example(module),), dynamic_shapes=_dynamic_shapes(), strict=False)
    config = json.dumps(module.config)
    torch.export.save(program, path, extra_files={NETWORK_KEY: config}, opset_version=None)
    return torch.export.load(path).module()


def _write_onnx(module: FaceNetwork, path: Path) -> Runner:
    program = onnx_program(module)
    program.model.metadata_props[NETWORK_KEY] = json.dumps(module.config)
    program.save(path, external_data=False)
    path.write_bytes(seal(path.read_bytes()))
    return onnx_runner(path)


def onnx_program(module: FaceNetwork, optimize: bool = True) -> torch.onnx.ONNXProgram:
    """Turn a network into ONNX with a dynamic batch.

    Args:
        module: on the CPU, in evaluation mode.
        optimize: fold what is constant, batch norms into convolutions among it; else weights stay as they are.
    """
    program = torch.onnx.export(
        module,
        (_example(module),),
        dynamo=True,
        dynamic_shapes=_dynamic_shapes(),
        input_names=["images"],
        output_names=list(OUTPUTS),
        opset_version=OPSET,
        verbose=False,
        optimize=optimize,
    )
    assert program is not None
    return program


def onnx_runner(path: Path) -> Runner:
    """Give a function that runs an ONNX export with onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> list[Tensor]:
        arrays = session.run(list(OUTPUTS), {"images": np.ascontiguousarray(images.numpy(), np.float32)})
        return [torch.from_numpy(array) for array in arrays]

    return run


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the exporters say about themselves; errors pass."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)


FORMATS: dict[ExportFormat, tuple[str, Callable[[FaceNetwork, Path], Runner]]] = {
    "onnx": (".onnx", _write_onnx),
    "torch": (".pt2", _write_torch),
    "safetensors": (".safetensors", _write_safetensors),
}
"""Formats by name: the suffix of the file, and what writes it and gives it back running."""
