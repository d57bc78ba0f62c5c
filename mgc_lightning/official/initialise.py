"""Start a backbone from official weights, as the paper starts from ImageNet."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mgc_lightning.encoders.official_resnet import OfficialResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import load_weights, read_official

SLIM_MEANS = (123.68, 116.78, 103.94)
"""RGB means (0 to 255) that slim's ImageNet networks subtract from their input, and nothing else."""


def initialise_backbone(backbone: nn.Module, path: str | Path) -> None:
    """Start a backbone from stored weights: the folded ImageNet ResNet-50, or MGCNet's own trunk.

    The ImageNet network was trained on colours of 0 to 255 less their means; its first convolution is
    rescaled so that it sees the same from RGB in [0, 1].

    Raises:
        MGCError: if the backbone is not the BN-free ResNet-50 of the usual width, or the file holds neither.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.files.weights import save_official
        >>> backbone, trained = OfficialResNet(50), OfficialResNet(50)
        >>> state = {f"backbone.{key}": value for key, value in trained.state_dict().items()}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_official(state, f"{folder}/mgcnet.safetensors", {"network": "mgcnet"})
        ...     initialise_backbone(backbone, f"{folder}/mgcnet.safetensors")
        >>> torch.equal(backbone.conv1.weight, trained.conv1.weight)
        True
    """
    if not isinstance(backbone, OfficialResNet) or backbone.config != {"depth": 50, "width": 64}:
        raise MGCError(
            "Official weights start an OfficialResNet of depth 50 and width 64, got "
            f"{type(backbone).__name__} {getattr(backbone, 'config', '')}"
        )
    network, state = read_official(path, "imagenet", "mgcnet")
    if network == "imagenet":
        state = _from_unit_range(state, "backbone.conv1")
    trunk = {key.removeprefix("backbone."): tensor for key, tensor in state.items() if key.startswith("backbone.")}
    load_weights(backbone, trunk, path)


def _from_unit_range(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Rewrite a convolution of (255 x - means) as one of x."""
    weight, bias = state[f"{prefix}.weight"].double(), state[f"{prefix}.bias"].double()
    means = torch.tensor(SLIM_MEANS, dtype=torch.float64)
    shifted = bias - torch.einsum("oihw,i->o", weight, means)
    return state | {f"{prefix}.weight": (255 * weight).float(), f"{prefix}.bias": shifted.float()}
