"""The official MGCNet backbone: a slim ResNet without batch norm, which its released weights need."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.resnet import Depth, stages_of

OFFICIAL_OUTPUTS = 257
"""Coefficients of the official network: 80 identity, 80 albedo, 64 expression, 6 pose, 27 light."""


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Build a convolution with bias, symmetric padding and the official initialisation (Glorot, 0)."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class Unit(nn.Module):
    """One residual unit; the shortcut is a convolution where the width changes, else a subsampling."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.downsample = convolution(inputs, outputs, 1, stride) if inputs != outputs else None
        self.conv1 = convolution(inputs, inner, 1 if outputs != inner else 3)
        if outputs != inner:
            self.conv2 = convolution(inner, inner, 3, stride)
            self.conv3 = convolution(inner, outputs, 1)
        else:
            self.conv2 = convolution(inner, outputs, 3, stride)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Add the residual to the shortcut."""
        residual = self.conv2(F.relu(self.conv1(x)))
        if hasattr(self, "conv3"):
            residual = self.conv3(F.relu(residual))
        if self.downsample is not None:
            shortcut = self.downsample(x)
        else:
            shortcut = F.max_pool2d(x, 1, self.stride) if self.stride > 1 else x
        return F.relu(residual + shortcut)


class OfficialResNet(nn.Module):
    """Turn images into a feature map as the official program does.

    It differs from the usual ResNet: no batch norm, every convolution has a bias; the stem's pool is unpadded
    (224 px give 112, 55, 28, 14, 7); stages 1 to 3 halve the map in their last unit; images are not
    normalised (MGCNet's program calls slim's resnet_v1 outside its argument scope).
    Depth 50 is the official network; 18 and 34 follow the same rules with units of two 3x3 convolutions.

    Args:
        depth: number of layers.
        width: channels of the stem.

    Example:
        >>> import torch
        >>> OfficialResNet(18, width=8)(torch.rand(2, 3, 96, 96)).shape
        torch.Size([2, 64, 3, 3])
    """

    def __init__(self, depth: Depth = 50, width: int = 64) -> None:
        super().__init__()
        stages = stages_of(depth)
        self.config = {"depth": depth, "width": width}
        expansion = 4 if depth >= 50 else 1
        self.conv1 = convolution(3, width, 7, stride=2)
        inputs = width
        for index, count in enumerate(stages):
            inner = width * 2**index
            units: list[nn.Module] = []
            for position in range(count):
                stride = 2 if index < 3 and position == count - 1 else 1
                units.append(Unit(inputs, inner, inner * expansion, stride))
                inputs = inner * expansion
            setattr(self, f"layer{index + 1}", nn.Sequential(*units))
        self.num_features = inputs

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D h w"]:
        """Encode RGB images in [0, 1]."""
        x = F.max_pool2d(F.relu(self.conv1(images)), 3, stride=2)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))  # type: ignore[operator]


def official_encoder(num_outputs: int = OFFICIAL_OUTPUTS) -> Encoder:
    """Build the official network of 24,008,065 parameters: ResNet-50 without batch norm and a linear head.

    Example:
        >>> sum(parameter.numel() for parameter in official_encoder().parameters())
        24008065
    """
    return Encoder(OfficialResNet(50), num_outputs, spatial_channels=0, head_std=None)
