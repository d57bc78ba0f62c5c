"""`mgc export`: a checkpoint as ONNX, torch.export and safetensors files."""

from __future__ import annotations

from typing import get_args

from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.arguments.types import Folder
from mgc_lightning.networks.settings import ExportFormat, ExportPrecision, NetworkFile


def export(
    *,
    output: Folder,
    formats: tuple[ExportFormat, ...] = get_args(ExportFormat),
    precisions: tuple[ExportPrecision, ...] = ("float32",),
    network: NetworkFile,
) -> int:
    """Export a checkpoint to ONNX, torch.export and safetensors, and compare each with the network.

    Args:
        output: folder to write to.
        formats: of the files.
        precisions: of the weights of ONNX files: network.onnx, network.float16.onnx, network.int8.onnx.
        network: a trained network.
    """
    from mgc_lightning.networks.export import export_network
    from mgc_lightning.networks.files import load_network

    loaded = load_network(network.checkpoint, network.face_model, network.level, network.imports)
    print(CommandParser(export, "mgc export").in_flags(str(export_network(loaded, output, formats, precisions))))
    return 0
