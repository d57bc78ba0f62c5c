"""The head: from a feature map to the raw coefficient vector."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def adaptive_average(features: Float[Tensor, "B C h w"], size: int, axis: int) -> Float[Tensor, "B C ..."]:
    """Average one axis into `size` bins, as `adaptive_avg_pool` does, of slices that every exporter knows.

    Example:
        >>> adaptive_average(torch.arange(6.0).view(1, 1, 1, 6), 3, axis=3)
        tensor([[[[0.5000, 2.5000, 4.5000]]]])
    """
    length = features.shape[axis]
    bins = [
        features.narrow(axis, first, last - first).mean(axis, keepdim=True)
        for first, last in (((i * length) // size, ((i + 1) * length + size - 1) // size) for i in range(size))
    ]
    return torch.cat(bins, dim=axis)


class CoefficientHead(nn.Module):
    """Map features to coefficients: linear over the global average and a small spatial map.

    The global average forgets where things are; a map reduced to few channels and 3x3 places remembers, at
    little cost, which pose and landmarks need.

    Args:
        num_features: channels of the feature map.
        num_outputs: length of the coefficient vector.
        spatial_channels: channels of the spatial map; 0 leaves it out (the official head).
        spatial_size: places of the spatial map on each axis.
        std: deviation of the initial weights, small so that training begins near the mean face;
            None for Glorot's uniform initialisation (the official head).

    Example:
        >>> CoefficientHead(num_features=512, num_outputs=205)(torch.rand(2, 512, 7, 7)).shape
        torch.Size([2, 205])
    """

    def __init__(
        self,
        num_features: int,
        num_outputs: int,
        spatial_channels: int = 64,
        spatial_size: int = 3,
        std: float | None = 1e-3,
    ) -> None:
        super().__init__()
        self.spatial_size = spatial_size
        self.reduce = nn.Conv2d(num_features, spatial_channels, 1) if spatial_channels else None
        self.linear = nn.Linear(num_features + spatial_channels * spatial_size**2, num_outputs)
        if std is None:
            nn.init.xavier_uniform_(self.linear.weight)
        else:
            nn.init.normal_(self.linear.weight, std=std)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Float[Tensor, "B D h w"]) -> Float[Tensor, "B C"]:
        """Predict the raw vector."""
        pooled = features.mean((2, 3))
        if self.reduce is not None:
            places = adaptive_average(self.reduce(features), self.spatial_size, axis=2)
            places = adaptive_average(places, self.spatial_size, axis=3)
            pooled = torch.cat([pooled, places.flatten(1)], dim=1)
        return self.linear(pooled)
