"""A network made small to be given away: weights as float16 in one file, which ONNX reads too."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_files, atomic_path
from mgc_lightning.files.checksum import seal
from mgc_lightning.files.text import write_json
from mgc_lightning.files.weights import write_tensors
from mgc_lightning.networks.comparison import compare
from mgc_lightning.networks.export_formats import onnx_program, onnx_runner, quiet
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork
from mgc_lightning.networks.files import load_network
from mgc_lightning.networks.interface import INTERFACE_KEY, describe_interface, readable_json
from mgc_lightning.networks.shipped import CARD, ONNX, WEIGHTS
from mgc_lightning.networks.stored import STEM

HALVED_FROM = 16384
"""Tensors of as many numbers or more are kept as float16. The others weigh nothing, and some would suffer: statistics
of batch norms are small or large, and the face model's mean has coordinates above 100 mm, where float16 has steps of
.06 mm."""


@dataclass(frozen=True)
class PackReport:
    """Tell what a packed network costs.

    Attributes:
        folder: where it lies.
        megabytes: of weights and ONNX together.
        differences: by form, the largest difference from the float32 network by output: `coefficients` (relative to
            their size where that exceeds 1), `verts` in mm, `landmarks` in px.
    """

    folder: Path
    megabytes: float
    differences: dict[str, dict[str, float]]

    def __str__(self) -> str:
        """Give a line a form."""
        lines = [
            f"{form:<12} differs from float32 by {found['verts']:.4f} mm and {found['landmarks']:.4f} px at most"
            for form, found in self.differences.items()
        ]
        return "\n".join([f"{self.folder}: {self.megabytes:.2f} MB", *lines])


def pack_network(
    network: FaceNetwork,
    folder: str | os.PathLike[str],
    card: Mapping[str, Any] | None = None,
    images: Float[Tensor, "B 3 S S"] | None = None,
) -> PackReport:
    """Write a network at half its size: float16 weights, and an ONNX program that reads them from the same file.

    `load_network`, `FaceReconstructor.from_pretrained` and onnxruntime take the folder; all compute in float32. The
    ONNX file holds the face model's geometry, and names `network.safetensors`, which must lie beside it.

    Args:
        network: the module; it stays as it is.
        folder: created if need be; files of the same names are replaced.
        card: what is known of it beside its own description: training, licence, scores; kept in `card.json`.
        images: crops on which differences are measured; noise if not given.

    Returns:
        The size, and how far both forms are from the float32 network.

    Raises:
        MGCError: if a weight is too large for float16, or the folder cannot be written.

    Example:
        >>> from mgc_lightning import load_network
        >>> report = pack_network(load_network("best.ckpt"), "mine/", card={"licence": "CC0"})  # doctest: +SKIP
        >>> sorted(file.name for file in report.folder.iterdir())  # doctest: +SKIP
        ['card.json', 'network.json', 'network.onnx', 'network.safetensors']
    """
    module = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    state = {key: _half(key, value) for key, value in module.state_dict().items()}
    with atomic_files(folder) as target:
        write_tensors(target / WEIGHTS, state, {NETWORK_KEY: json.dumps(module.config)})
        halved = load_network(target / WEIGHTS, module.face_model)
        with atomic_path(target / ONNX) as temporary:
            temporary.write_bytes(_shared_onnx(halved, target / WEIGHTS))
        found = {
            "safetensors": compare(module, halved, images=images),
            "onnx": compare(module, onnx_runner(target / ONNX), images=images),
        }
        files = {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in (WEIGHTS, ONNX)}
        about = {
            **(card or {}),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "image_size": module.image_size,
            "face_model": {"name": module.face_model.name, "licence": module.face_model.licence},
            "float16_differs": found,
            "sha256": files,
        }
        described = {**module.config, "interface": describe_interface(module)}
        with atomic_path(target / f"{STEM}.json") as temporary:
            temporary.write_text(readable_json(described) + "\n", encoding="utf-8")
        write_json(target / CARD, about)
        size = sum((target / name).stat().st_size for name in files)
    return PackReport(Path(folder), size / 1e6, found)


def _half(key: str, value: Tensor) -> Tensor:
    if value.dtype != torch.float32 or value.numel() < HALVED_FROM:
        return value.contiguous()
    half = value.half()
    if not bool(half.isfinite().all()):
        raise MGCError(f"`{key}` has values up to {float(value.abs().max()):.3g}, which float16 cannot hold")
    return half.contiguous()


def _shared_onnx(network: FaceNetwork, weights: Path) -> bytes:
    """Export with initializers as float16: those of the state dict point into the file of weights."""
    with quiet():
        model = onnx_program(network, optimize=False).model_proto
    for entry, about in ((NETWORK_KEY, network.config), (INTERFACE_KEY, describe_interface(network))):
        model.metadata_props.add(key=entry, value=json.dumps(about))
    content = weights.read_bytes()
    places = _places(content)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or math.prod(tensor.dims) < HALVED_FROM:
            continue
        values = numpy_helper.to_array(tensor).astype("<f2")
        name, shape = tensor.name, list(tensor.dims)
        tensor.Clear()
        tensor.name, tensor.data_type = f"{name}.half", TensorProto.FLOAT16
        tensor.dims.extend(shape)
        place = places.get(name)
        if place is not None and content[slice(*place)] == values.tobytes():
            tensor.data_location = TensorProto.EXTERNAL
            entries = {"location": weights.name, "offset": place[0], "length": place[1] - place[0]}
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=str(value))
        else:
            tensor.raw_data = values.tobytes()
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    for node in model.graph.node:  # where the exporter's code was called from, with the paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    return seal(model.SerializeToString())


def _places(content: bytes) -> dict[str, tuple[int, int]]:
    """Give where the bytes of each float16 tensor of a safetensors file begin and end.

    The format: 8 bytes of the header's length, the header as JSON, then the tensors.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    rows = {key: row for key, row in header.items() if key != "__metadata__" and row["dtype"] == "F16"}
    return {key: (start + row["data_offsets"][0], start + row["data_offsets"][1]) for key, row in rows.items()}
