"""Residual networks with batch norm (He et al. 2016; a stage halves the map in its first 3x3 convolution)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Width
from mgc_lightning.encoders.normalisation import ImageNormalisation
from mgc_lightning.errors import check_choice

Depth = Literal[18, 34, 50]
"""Layers of a network of the family."""
STAGES: dict[Depth, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Units of each of the four stages, by depth."""


def stages_of(depth: Depth) -> tuple[int, int, int, int]:
    """Give the units of each stage.

    Raises:
        MGCError: if the depth is not one of the family's.

    Example:
        >>> stages_of(34)  # units of each stage
        (3, 4, 6, 3)
    """
    check_choice("depth", depth, Depth)
    return STAGES[depth]


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Compose a convolution without bias and its batch norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class BasicUnit(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv_norm(inputs, inner, 3, stride)
        self.conv2 = conv_norm(inner, inner, 3)
        self.downsample = conv_norm(inputs, inner, 1, stride) if stride != 1 or inputs != inner else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Add the residual to the shortcut."""
        return self.relu(self.conv2(self.relu(self.conv1(x))) + self.downsample(x))


class BottleneckUnit(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the output is four times as wide as the middle."""

    expansion = 4

    def __init__(self, inputs: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        outputs = self.expansion * inner
        self.conv1 = conv_norm(inputs, inner, 1)
        self.conv2 = conv_norm(inner, inner, 3, stride)
        self.conv3 = conv_norm(inner, outputs, 1)
        changes = stride != 1 or inputs != outputs
        self.downsample = conv_norm(inputs, outputs, 1, stride) if changes else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Add the residual to the shortcut."""
        residual = self.conv3(self.relu(self.conv2(self.relu(self.conv1(x)))))
        return self.relu(residual + self.downsample(x))


class ResNet(nn.Module):
    """Turn images into a feature map of stride 32.

    Args:
        depth: number of layers.
        width: channels of the stem; the stages have 1, 2, 4, 8 times as many (times 4 in depth 50).
        normalise: subtract ImageNet's mean and divide by its deviation first.

    Example:
        >>> import torch
        >>> backbone = ResNet(18, width=8)
        >>> backbone(torch.rand(2, 3, 96, 96)).shape, backbone.num_features
        (torch.Size([2, 64, 3, 3]), 64)
    """

    @checked
    def __init__(self, depth: Depth = 50, width: Width = 64, normalise: bool = True) -> None:
        super().__init__()
        stages = stages_of(depth)
        self.config = {"depth": depth, "width": width, "normalise": normalise}
        unit: type[BasicUnit] | type[BottleneckUnit] = BottleneckUnit if depth >= 50 else BasicUnit
        self.normalise = ImageNormalisation() if normalise else nn.Identity()
        self.stem = nn.Sequential(
            conv_norm(3, width, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)
        )
        layers: list[nn.Module] = []
        inputs = width
        for index, count in enumerate(stages):
            inner = width * 2**index
            for position in range(count):
                layers.append(unit(inputs, inner, stride=2 if index and not position else 1))
                inputs = inner * unit.expansion
        self.layers = nn.Sequential(*layers)
        self.num_features = inputs
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # Units begin as identities (Goyal et al. 2017, sec. 5.1): the last scale of every residual is zero.
        for unit in self.layers:
            last = unit.conv3 if isinstance(unit, BottleneckUnit) else unit.conv2
            nn.init.zeros_(last.get_parameter("1.weight"))  # type: ignore[union-attr]

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D h w"]:
        """Encode RGB images in [0, 1]."""
        return self.layers(self.stem(self.normalise(images)))
