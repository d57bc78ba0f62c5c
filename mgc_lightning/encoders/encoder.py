"""The encoder: backbone and head."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.encoders.head import CoefficientHead
from mgc_lightning.errors import MGCError


class Encoder(nn.Module):
    """Map face crops to raw coefficient vectors; knows no face model.

    Args:
        backbone: module from images (B, 3, H, W), RGB in [0, 1], to a feature map (B, D, h, w), with the
            attribute `num_features` = D.
        num_outputs: length of the vector; 257 in the official network.
        spatial_channels: channels of the head's spatial map, 0 for a plain linear head on the global mean.
        spatial_size: places of the spatial map on each axis.
        head_std: deviation of the head's initial weights; None for Glorot's.

    Raises:
        MGCError: if the backbone does not say `num_features`.

    Example:
        >>> import torch
        >>> from mgc_lightning import ResNet
        >>> Encoder(ResNet(18, width=8), num_outputs=205)(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 205])
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_outputs: int = 257,
        spatial_channels: int = 64,
        spatial_size: int = 3,
        head_std: float | None = 1e-3,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        try:
            num_features = int(backbone.num_features)  # type: ignore[arg-type]
        except (AttributeError, TypeError) as error:
            raise MGCError(
                f"The backbone {type(backbone).__name__} needs an attribute `num_features`: the channels of the "
                "feature map (B, num_features, h, w) that it makes of images (B, 3, H, W)"
            ) from error
        self.head = CoefficientHead(num_features, num_outputs, spatial_channels, spatial_size, head_std)

    @property
    def num_outputs(self) -> int:
        """Length of the vector."""
        return self.head.linear.out_features

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        """Predict the raw vector, before main pose, ambient light and output scaling."""
        return self.head(self.backbone(images))
