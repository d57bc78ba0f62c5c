"""Inception-ResNet-v1 (Szegedy et al. 2017, sec. 3.2) as FaceNet trains it: 512-d face embeddings."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

EMBEDDING_SIZE = 512


class Conv(NamedTuple):
    """Describe one convolution; `scope` is its name in the original graph, `same` whether it is padded."""

    scope: str
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    same: bool = True


Branches = tuple[tuple[Conv, ...], ...]

STEM = (
    Conv("Conv2d_1a_3x3", 32, (3, 3), 2, same=False),
    Conv("Conv2d_2a_3x3", 32, (3, 3), same=False),
    Conv("Conv2d_2b_3x3", 64, (3, 3)),
    Conv("Conv2d_3b_1x1", 80, same=False),
    Conv("Conv2d_4a_3x3", 192, (3, 3), same=False),
    Conv("Conv2d_4b_3x3", 256, (3, 3), 2, same=False),
)
POOL_AFTER = 2
"""Place in the stem of the 3x3 max pool of stride 2."""
BLOCK35: Branches = (
    (Conv("Conv2d_1x1", 32),),
    (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 32, (3, 3))),
    (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 32, (3, 3)), Conv("Conv2d_0c_3x3", 32, (3, 3))),
)
REDUCTION_A: Branches = (
    (Conv("Conv2d_1a_3x3", 384, (3, 3), 2, same=False),),
    (
        Conv("Conv2d_0a_1x1", 192),
        Conv("Conv2d_0b_3x3", 192, (3, 3)),
        Conv("Conv2d_1a_3x3", 256, (3, 3), 2, same=False),
    ),
)
BLOCK17: Branches = (
    (Conv("Conv2d_1x1", 128),),
    (Conv("Conv2d_0a_1x1", 128), Conv("Conv2d_0b_1x7", 128, (1, 7)), Conv("Conv2d_0c_7x1", 128, (7, 1))),
)
REDUCTION_B: Branches = (
    (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 384, (3, 3), 2, same=False)),
    (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 256, (3, 3), 2, same=False)),
    (
        Conv("Conv2d_0a_1x1", 256),
        Conv("Conv2d_0b_3x3", 256, (3, 3)),
        Conv("Conv2d_1a_3x3", 256, (3, 3), 2, same=False),
    ),
)
BLOCK8: Branches = (
    (Conv("Conv2d_1x1", 192),),
    (Conv("Conv2d_0a_1x1", 192), Conv("Conv2d_0b_1x3", 192, (1, 3)), Conv("Conv2d_0c_3x1", 192, (3, 1))),
)


class ConvNorm(nn.Module):
    """Convolve, normalise by running statistics (no scale), rectify."""

    def __init__(self, scope: str, inputs: int, conv: Conv) -> None:
        super().__init__()
        self.scope = f"{scope}/{conv.scope}"
        padding = (conv.kernel[0] // 2, conv.kernel[1] // 2) if conv.same else (0, 0)
        self.conv = nn.Conv2d(inputs, conv.outputs, conv.kernel, conv.stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(conv.outputs, eps=1e-3)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Convolve."""
        return F.relu(self.norm(self.conv(x)))


def chain(scope: str, inputs: int, convs: tuple[Conv, ...]) -> nn.Sequential:
    """Compose convolutions."""
    widths = (inputs, *(conv.outputs for conv in convs))
    return nn.Sequential(*(ConvNorm(scope, width, conv) for width, conv in zip(widths, convs, strict=False)))


class Inception(nn.Module):
    """Run branches side by side and concatenate their channels."""

    def __init__(self, scope: str, inputs: int, branches: Branches) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            chain(f"{scope}/Branch_{index}", inputs, convs) for index, convs in enumerate(branches)
        )
        self.num_features = sum(convs[-1].outputs for convs in branches)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Concatenate."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Reduction(Inception):
    """Halve the map: strided branches beside a max pool."""

    def __init__(self, scope: str, inputs: int, branches: Branches) -> None:
        super().__init__(scope, inputs, branches)
        self.num_features += inputs

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Concatenate."""
        return torch.cat([super().forward(x), F.max_pool2d(x, 3, stride=2)], dim=1)


class Residual(nn.Module):
    """Add a scaled, linear projection of inception branches to the input."""

    def __init__(self, scope: str, inputs: int, branches: Branches, scale: float, activate: bool = True) -> None:
        super().__init__()
        self.inception = Inception(scope, inputs, branches)
        self.up = nn.Conv2d(self.inception.num_features, inputs, 1)
        self.scope = f"{scope}/Conv2d_1x1"
        self.scale, self.activate = scale, activate

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Add the residual."""
        x = x + self.scale * self.up(self.inception(x))
        return F.relu(x) if self.activate else x


class InceptionResnetV1(nn.Module):
    """Map face crops, RGB in [0, 1], to unit embeddings.

    It whitens its input as FaceNet's fixed standardisation does: (255 x - 127.5) / 128. The weights of
    20180402-114759 were trained on crops of 160 px; any size from 80 px works, as the map is averaged.

    Example:
        >>> InceptionResnetV1().eval()(torch.rand(2, 3, 96, 96)).norm(dim=1).round(decimals=3).tolist()
        [1.0, 1.0]
    """

    def __init__(self) -> None:
        super().__init__()
        root = "InceptionResnetV1"
        self.stem = chain(root, 3, STEM)
        width = STEM[-1].outputs
        self.blocks35 = nn.Sequential(
            *(Residual(f"{root}/Repeat/block35_{i}", width, BLOCK35, 0.17) for i in range(1, 6))
        )
        self.reduction_a = Reduction(f"{root}/Mixed_6a", width, REDUCTION_A)
        width = self.reduction_a.num_features
        self.blocks17 = nn.Sequential(
            *(Residual(f"{root}/Repeat_1/block17_{i}", width, BLOCK17, 0.10) for i in range(1, 11))
        )
        self.reduction_b = Reduction(f"{root}/Mixed_7a", width, REDUCTION_B)
        width = self.reduction_b.num_features
        self.blocks8 = nn.Sequential(
            *(Residual(f"{root}/Repeat_2/block8_{i}", width, BLOCK8, 0.20) for i in range(1, 6)),
            Residual(f"{root}/Block8", width, BLOCK8, 1.0, activate=False),
        )
        self.bottleneck = Bottleneck(f"{root}/Bottleneck", width)

    def forward(self, crops: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 512"]:
        """Embed."""
        x = (crops * 255 - 127.5) / 128
        x = self.stem[: POOL_AFTER + 1](x)
        x = self.stem[POOL_AFTER + 1 :](F.max_pool2d(x, 3, stride=2))
        x = self.reduction_a(self.blocks35(x))
        x = self.reduction_b(self.blocks17(x))
        return F.normalize(self.bottleneck(self.blocks8(x).mean((2, 3))), dim=1)


class Bottleneck(nn.Module):
    """Project the averaged map to the embedding, linear and normalised by running statistics."""

    def __init__(self, scope: str, inputs: int) -> None:
        super().__init__()
        self.scope = scope
        self.linear = nn.Linear(inputs, EMBEDDING_SIZE, bias=False)
        self.norm = nn.BatchNorm1d(EMBEDDING_SIZE, eps=1e-3)

    def forward(self, x: Float[Tensor, "B C"]) -> Float[Tensor, "B 512"]:
        """Project."""
        return self.norm(self.linear(x))
