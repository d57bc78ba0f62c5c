"""Convert the official program's TensorFlow-1 checkpoints into our networks' state dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.official.kinds import OfficialNetwork
from mgc_lightning.official.names import (
    RESNET_SCOPE,
    Variable,
    facenet_variables,
    imagenet_variables,
    mgcnet_variables,
    resnet_convolutions,
)
from mgc_lightning.recognisers.inception_resnet_v1 import InceptionResnetV1

IMAGENET_NORM_EPS = 1e-5
"""Epsilon of the batch norm of slim's ResNets."""


def convert_tensors(
    tensors: Mapping[str, np.ndarray], variables: Sequence[Variable], source: str = "The checkpoint"
) -> dict[str, Tensor]:
    """Rename and transpose TensorFlow variables: convolutions from (h, w, in, out) to (out, in, h, w).

    Args:
        tensors: arrays by TensorFlow name; more than needed is fine.
        variables: what is needed.
        source: a name of the file for messages.

    Raises:
        MGCError: if a variable is absent, has another shape or holds values that are not finite.

    Example:
        >>> variable = Variable("conv1/weights", (3, 3, 2, 8), "conv1.weight")
        >>> convert_tensors({"conv1/weights": np.zeros((3, 3, 2, 8))}, [variable])["conv1.weight"].shape
        torch.Size([8, 2, 3, 3])
    """
    missing = [v.name for v in variables if v.name not in tensors]
    if missing:
        raise MGCError(
            f"{source} lacks {len(missing)} of {len(variables)} variables, the first `{missing[0]}`: "
            "it is not a checkpoint of this network, or it is incomplete"
        )
    state = {}
    for variable in variables:
        array = np.asarray(tensors[variable.name])
        if tuple(array.shape) != variable.shape:
            raise MGCError(f"{source}: expected `{variable.name}` of shape {variable.shape}, got {tuple(array.shape)}")
        if not np.isfinite(array).all():
            raise MGCError(f"{source}: `{variable.name}` holds values that are not finite")
        state[variable.key] = _to_torch(array, linear=variable.key.endswith("linear.weight"))
    return state


def _to_torch(array: np.ndarray, linear: bool) -> Tensor:
    tensor = torch.from_numpy(array.astype(np.float32))
    if tensor.ndim == 4:
        tensor = tensor.permute(3, 2, 0, 1)
        tensor = tensor.flatten(1) if linear else tensor
    elif tensor.ndim == 2:
        tensor = tensor.T
    return tensor.contiguous()


def convert_mgcnet(tensors: Mapping[str, np.ndarray], source: str = "The checkpoint") -> dict[str, Tensor]:
    """Convert a checkpoint of MGCNet's training: the encoder alone, no optimiser slots, no other networks.

    Raises:
        MGCError: if it is the ImageNet checkpoint, another network, or incomplete.
    """
    if any(name.startswith(f"{RESNET_SCOPE}/") and "/BatchNorm/" in name for name in tensors):
        raise MGCError(
            f"{source} has batch norm, which MGCNet's network does not: it is the ImageNet ResNet-50 that "
            "training starts from. Convert it with `network=imagenet`, or give MGCNet's model-400000."
        )
    ours = {v.name for v in mgcnet_variables()}
    if not ours & set(tensors):
        raise MGCError(
            f"{source} is not a checkpoint of MGCNet: it has no variable under `{RESNET_SCOPE}/`, but for "
            f"example {', '.join(sorted(tensors)[:3])}"
        )
    return convert_tensors(tensors, mgcnet_variables(), source)


def convert_imagenet(tensors: Mapping[str, np.ndarray], source: str = "The checkpoint") -> dict[str, Tensor]:
    """Fold the batch norm of slim's ImageNet ResNet-50 into its convolutions; the classifier is left out.

    W' = W g / sqrt(v + eps), b' = beta - m g / sqrt(v + eps).

    Raises:
        MGCError: if it is another network, or incomplete.
    """
    if not any("/BatchNorm/" in name for name in tensors if name.startswith(f"{RESNET_SCOPE}/")):
        raise MGCError(
            f"{source} is not slim's ImageNet ResNet-50 (resnet_v1_50.ckpt): it has no batch norm under "
            f"`{RESNET_SCOPE}/`"
        )
    parts = convert_tensors(tensors, imagenet_variables(), source)
    state = {}
    for _, prefix, *_ in resnet_convolutions():
        gamma, beta, mean, variance = (
            parts[f"{prefix}/{part}"].double() for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / (variance + IMAGENET_NORM_EPS).sqrt()
        state[f"{prefix}.weight"] = (parts[f"{prefix}.weight"].double() * scale[:, None, None, None]).float()
        state[f"{prefix}.bias"] = (beta - mean * scale).float()
    return state


def convert_facenet(tensors: Mapping[str, np.ndarray], source: str = "The checkpoint") -> dict[str, Tensor]:
    """Convert FaceNet's Inception-ResNet-v1; MGCNet's own checkpoints carry a copy of it.

    Raises:
        MGCError: if it is another network, or incomplete.
    """
    if not any(name.startswith("InceptionResnetV1/") for name in tensors):
        raise MGCError(
            f"{source} is not FaceNet's 20180402-114759: it has no variable under `InceptionResnetV1/`, but "
            f"for example {', '.join(sorted(tensors)[:3])}"
        )
    with torch.device("meta"):
        network = InceptionResnetV1()
    return convert_tensors(tensors, facenet_variables(network), source)


Converter = Callable[[Mapping[str, Any], str], dict[str, Tensor]]

CONVERTERS: dict[OfficialNetwork, Converter] = {
    "mgcnet": convert_mgcnet,
    "imagenet": convert_imagenet,
    "facenet": convert_facenet,
}
