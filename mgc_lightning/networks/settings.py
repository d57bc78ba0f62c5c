"""What trained networks are loaded from and exported to; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import AnyPath, Modules, NameOrPath, Whole

ExportFormat = Literal["onnx", "torch", "safetensors"]
"""ONNX and torch.export with a dynamic batch, and the weights with their description."""

ExportPrecision = Literal["float32", "float16", "int8"]
"""In how many bits an ONNX file keeps its weights; all compute in float32."""


@dataclass(frozen=True)
class NetworkFile(Checked):
    """A trained network.

    Attributes:
        checkpoint: a .ckpt of `fit`, or an export: .onnx, .safetensors, or the folder of one; if not given, the
            network that comes with the package. A .pt2 runs code when it is opened: only one that is named itself is.
        face_model: the face model of the training, where it is kept elsewhere.
        level: level of detail of the mesh; that of the training if not given.
        imports: modules of yours that define its backbone, such as my_nets.
    """

    checkpoint: AnyPath | None = None
    face_model: NameOrPath | None = None
    level: Whole | None = None
    imports: Modules = ()


@dataclass(frozen=True)
class NetworkSource(NetworkFile):
    """Say which trained network is loaded, and where it runs.

    Attributes:
        device: where it runs, and a detector: cpu, cuda, cuda:1, ...

    Example:
        >>> source = NetworkSource(device="cuda:1")  # the network that comes with the package
        >>> source.checkpoint is None, source.device
        (True, 'cuda:1')
    """

    device: str = "cpu"
