"""Exports of a network: ONNX, torch.export and safetensors, each run and compared with the module."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import class_path, is_ours
from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.atomic import atomic_files, atomic_path, remove_leftovers
from mgc_lightning.files.checksum import seal
from mgc_lightning.networks.comparison import OUTPUTS, TOLERANCES, compare
from mgc_lightning.networks.export_formats import FORMATS, onnx_runner, quiet, standalone_onnx
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.interface import describe_interface, readable_json
from mgc_lightning.networks.narrow import BOUNDS, fixed_faces, narrow_onnx
from mgc_lightning.networks.settings import ExportFormat, ExportPrecision
from mgc_lightning.networks.stored import STEM


@dataclass(frozen=True)
class ExportedFile:
    """Describe one export that was run.

    Attributes:
        format: of the file.
        path: where it lies.
        differences: the largest difference to the module by output, over all tried batch sizes.
        precision: of its weights.
    """

    format: ExportFormat
    path: Path
    differences: dict[str, float]
    precision: ExportPrecision = "float32"

    def __str__(self) -> str:
        """Say format, size, differences and path in a line."""
        size = self.path.stat().st_size / 2**20
        units = {"coefficients": "", "verts": " mm", "landmarks": " px"}
        parts = ", ".join(f"{name} {value:.1e}{units[name]}" for name, value in self.differences.items())
        name = self.format if self.precision == "float32" else f"{self.format} {self.precision}"
        return f"{name:<12} {size:7.1f} MiB   max difference: {parts}   {self.path}"


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
    precisions: Sequence[ExportPrecision] = ("float32",),
) -> ExportReport:
    """Export a network, run every export on batches of 1 and 3, and compare it with the module.

    Input is `images` (B, 3, S, S), RGB in [0, 1]; outputs are `coefficients` (B, C), `verts` (B, N, 3) in
    mm and `landmarks` (B, 68, 2) in px. Exports compute in float32 on the CPU; each carries `FaceNetwork.config`
    as metadata, ONNX files also `describe_interface`, and the folder holds both as `network.json`. The network that is
    passed stays as it is.

    Args:
        network: the module to export.
        folder: created if need be; files of the same names are replaced.
        formats: some of `onnx` (network.onnx, dynamic batch), `torch` (network.pt2 of torch.export,
            dynamic batch) and `safetensors` (network.safetensors, weights and description).
        precisions: of the ONNX file's weights: `float32`, and files of half and a third of the size beside it or in its
            place, `float16` (network.float16.onnx) and `int8` (network.int8.onnx). They are compared on rendered faces
            too.

    Raises:
        MGCError: if a format or a precision is unknown, an export differs from the module by more than `TOLERANCES` or
            the `BOUNDS` of its precision, or the folder cannot be written.

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
    for precision in precisions:
        check_choice("precisions", precision, ExportPrecision)
    if not formats:
        raise MGCError(f"`formats` must be some of {', '.join(FORMATS)}; got none")
    if not precisions or ("onnx" not in formats and tuple(precisions) != ("float32",)):
        raise MGCError(f"`precisions` are of ONNX files; got {list(precisions)} for {', '.join(formats)}")
    target = Path(folder)
    module = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    report = ExportReport(target, notes=_notes(module, formats))
    remove_leftovers(target)
    with atomic_files(target) as together:
        whole = [name for name in dict.fromkeys(formats) if name != "onnx" or "float32" in precisions]
        files = [_export(module, name, together) for name in whole]
        narrow = [precision for precision in dict.fromkeys(precisions) if precision != "float32"]
        files.extend(_narrowed(module, narrow, together) if narrow else [])
        with atomic_path(together / f"{STEM}.json") as temporary:
            content = {**module.config, "interface": describe_interface(module)}
            temporary.write_text(readable_json(content) + "\n", encoding="utf-8")
    report.files.extend(replace(file, path=target / file.path.name) for file in files)
    return report


def _export(module: FaceNetwork, name: ExportFormat, folder: Path) -> ExportedFile:
    suffix, write = FORMATS[name]
    path = folder / f"{STEM}{suffix}"
    with atomic_path(path) as temporary, quiet():
        run = write(module, temporary)
        differences = compare(module, run)
        _check(name, path, differences)
    return ExportedFile(name, path, differences)


def _narrowed(module: FaceNetwork, precisions: Sequence[ExportPrecision], folder: Path) -> list[ExportedFile]:
    """Write ONNX files of narrow weights; of each output the larger difference counts, on noise or on faces."""
    with quiet():
        model, faces = standalone_onnx(module), fixed_faces(module)
    files = []
    for precision in precisions:
        path = folder / f"{STEM}.{precision}.onnx"
        with atomic_path(path) as temporary:
            temporary.write_bytes(seal(narrow_onnx(model, precision).SerializeToString()))
            run = onnx_runner(temporary)
            found = [compare(module, run), compare(module, run, images=faces)]
            differences = {name: max(each[name] for each in found) for name in OUTPUTS}
            _check(f"onnx {precision}", path, differences, BOUNDS[precision])
        files.append(ExportedFile("onnx", path, differences, precision))
    return files


def _check(name: str, path: Path, differences: dict[str, float], bounds: dict[str, float] = TOLERANCES) -> None:
    bad = {key: value for key, value in differences.items() if not value <= bounds[key]}
    if bad:
        raise MGCError(
            f"The {name} export differs from the network by {bad}, allowed are {bounds}; {path} was not written"
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
