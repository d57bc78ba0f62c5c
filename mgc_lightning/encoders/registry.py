"""Backbones by name: how a network is written down and built again, importing nothing a file asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.official_resnet import OfficialResNet
from mgc_lightning.encoders.resnet import ResNet
from mgc_lightning.encoders.timm_backbone import TimmBackbone
from mgc_lightning.errors import MGCError

B = TypeVar("B", bound=type[nn.Module])

BACKBONES: dict[str, type[nn.Module]] = {}
"""Classes that a stored network may name. Nothing else is ever built from a file."""


def register_backbone(cls: B) -> B:
    """Let stored networks name this class; use it as a decorator.

    A backbone maps images (B, 3, H, W) to a feature map (B, `num_features`, h, w) and keeps the arguments
    that it was made with, JSON-able, in the attribute `config`.

    Example:
        >>> @register_backbone
        ... class Tiny(nn.Sequential):
        ...     def __init__(self, width: int = 8):
        ...         super().__init__(nn.Conv2d(3, width, 3, stride=8))
        ...         self.num_features, self.config = width, {"width": width}
        >>> describe_backbone(Tiny(4))
        {'class': 'Tiny', 'init_args': {'width': 4}}
        >>> del BACKBONES["Tiny"]
    """
    BACKBONES[cls.__name__] = cls
    return cls


for _known in (ResNet, OfficialResNet, TimmBackbone):
    register_backbone(_known)


def describe_backbone(backbone: nn.Module) -> dict[str, Any]:
    """Write down the class and the arguments of a backbone."""
    init_args = getattr(backbone, "config", None)
    return {
        "class": type(backbone).__name__,
        "init_args": dict(init_args) if isinstance(init_args, Mapping) else None,
    }


def describe_encoder(encoder: Encoder) -> dict[str, Any]:
    """Write down an encoder: its backbone and the sizes of its head; weights not included."""
    reduce = encoder.head.reduce
    return {
        "backbone": describe_backbone(encoder.backbone),
        "num_outputs": encoder.num_outputs,
        "spatial_channels": 0 if reduce is None else reduce.out_channels,
        "spatial_size": encoder.head.spatial_size,
    }


def build_encoder(description: Mapping[str, Any]) -> Encoder:
    """Build the encoder that `describe_encoder` wrote down, with fresh weights.

    Raises:
        MGCError: if the backbone is not registered, or its arguments are not known or not accepted.
    """
    name = description["backbone"]["class"]
    init_args = description["backbone"]["init_args"]
    if name not in BACKBONES:
        raise MGCError(
            f"The stored network has the backbone `{name}`, which is not registered; known are "
            f"{sorted(BACKBONES)}. Import the module that defines it and decorate it with "
            "`mgc_lightning.encoders.registry.register_backbone`."
        )
    if init_args is None:
        raise MGCError(
            f"The stored network does not say how its backbone `{name}` was made: give the class an "
            "attribute `config` that holds its arguments, before it is stored."
        )
    try:
        backbone = BACKBONES[name](**init_args)
        sizes = {key: description[key] for key in ("num_outputs", "spatial_channels", "spatial_size")}
        return Encoder(backbone, **sizes)
    except (TypeError, ValueError) as error:
        raise MGCError(f"The stored network's `{name}` cannot be built from {init_args}: {error}") from error
