"""ONNX files of half the size and less: weights kept in fewer bits, computed with in float32."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import onnx
import torch
from jaxtyping import Float
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.settings import ExportPrecision
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views

NARROWED_FROM = 16384
"""Tensors of as many numbers or more are narrowed; the others weigh nothing, and statistics would suffer."""
HALF_BELOW = 64.0
"""Largest value of what is kept as float16, where its steps are .03: of a face model the bases are, the mean is not."""
BOUNDS: dict[ExportPrecision, dict[str, float]] = {
    "float16": {"coefficients": 0.02, "verts": 0.05, "landmarks": 0.05},
    "int8": {"coefficients": 0.3, "verts": 0.3, "landmarks": 0.3},
}
"""What narrowed files may differ from the network: coefficients relative to their size where that exceeds 1; mm; px."""


def narrow_onnx(model: onnx.ModelProto, precision: ExportPrecision) -> onnx.ModelProto:
    """Keep large weights in fewer bits; the program widens them to float32 before it computes.

    `float16` halves all of them. `int8` keeps those of convolutions and linear layers of the encoder as whole numbers
    with a scale for each output, the rest as float16. Activations stay float32: with them in int8 faces move by
    millimetres.

    Args:
        model: with its weights in float32; it stays as it is.
        precision: of the weights.

    Example:
        >>> weight = numpy_helper.from_array(np.ones((128, 128), np.float32), "weight")
        >>> graph = helper.make_graph([], "g", [], [], [weight])
        >>> narrow_onnx(helper.make_model(graph), "float16").ByteSize() < 33000
        True
    """
    narrowed = onnx.ModelProto()
    narrowed.CopyFrom(model)
    used: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            used[name].add((node.op_type, place))
    widened = []
    for tensor in list(narrowed.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or math.prod(tensor.dims) < NARROWED_FROM:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if precision == "int8" and used[name] and used[name] <= {("Conv", 1), ("Gemm", 1)}:
            scale = np.abs(values).reshape(len(values), -1).max(axis=1) / np.float32(127)
            scale[scale == 0] = 1
            whole = np.round(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
            tensor.CopyFrom(numpy_helper.from_array(whole, f"{name}.int8"))
            narrowed.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
            widened.append(helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name], axis=0))
        elif float(np.abs(values).max()) < HALF_BELOW:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            widened.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*widened, *narrowed.graph.node]
    del narrowed.graph.node[:], narrowed.graph.value_info[:]
    narrowed.graph.node.extend(nodes)
    return narrowed


def fixed_faces(network: FaceNetwork, count: int = 8) -> Float[Tensor, "B 3 S S"]:
    """Render faces on grey, the same ones for the same face model: what precisions are compared on.

    Args:
        network: on the CPU; its face model and camera draw them.
        count: of the faces.
    """
    generator = torch.Generator().manual_seed(0)
    layout, vector = network.layout, network.offset.repeat(count, 1)
    noise = torch.randn(count, layout.total, generator=generator)
    spread = {"identity": 1.0, "albedo": 1.0, "expression": 0.5, "light": 0.03}
    for name, size in spread.items():
        part = layout.slices[name]
        scale = network.face_model.expression_sigma if name == "expression" else 1.0
        vector[:, part] += size * scale * noise[:, part]
    vector[:, layout.slices["pose"]] += noise[:, layout.slices["pose"]] * torch.tensor([0.1, 0.3, 0.1, 3.0, 3.0, 0.0])
    coefficients = FaceCoefficients.from_vector(vector[:, None], layout)
    with torch.no_grad():
        views = render_views(coefficients, network.face_model, FaceRenderer(), network.K, network.image_size)
    rendered = views.rendered
    return (rendered.mask * rendered.image + (1 - rendered.mask) * 0.5).clamp(0, 1)
