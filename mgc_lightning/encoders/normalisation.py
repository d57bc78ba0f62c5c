"""Input statistics of pretrained backbones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageNormalisation(nn.Module):
    """Map RGB in [0, 1] to zero mean and unit deviation: `(images - mean) / std`, a colour at a time.

    Example:
        >>> black = torch.zeros(1, 3, 2, 2)
        >>> ImageNormalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))(black)[0, :, 0, 0]
        tensor([-1., -1., -1.])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Normalise images."""
        return (images - self.mean) / self.std
