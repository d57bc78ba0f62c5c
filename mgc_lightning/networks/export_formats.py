"""Formats of exports: how each is written, and run again."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import is_ours
from mgc_lightning.files.checksum import seal
from mgc_lightning.networks.comparison import OUTPUTS, Runner
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork
from mgc_lightning.networks.files import load_network, write_network
from mgc_lightning.networks.interface import INTERFACE_KEY, describe_interface
from mgc_lightning.networks.settings import ExportFormat

OPSET = 18


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
    # To memory first: on a full disk the library's own writer ends the program.
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={NETWORK_KEY: config}, opset_version=None)
    path.write_bytes(buffer.getbuffer())
    return torch.export.load(path).module()


def _write_onnx(module: FaceNetwork, path: Path) -> Runner:
    path.write_bytes(seal(standalone_onnx(module).SerializeToString()))
    return onnx_runner(path)


def standalone_onnx(module: FaceNetwork) -> onnx.ModelProto:
    """Turn a network into ONNX that says all that a user of it needs; see `describe_interface`."""
    model = onnx_program(module).model_proto
    for key, value in ((NETWORK_KEY, module.config), (INTERFACE_KEY, describe_interface(module))):
        model.metadata_props.add(key=key, value=json.dumps(value, separators=(",", ":")))
    for node in model.graph.node:  # where the exporter's code was called from, with the paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    return model


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
