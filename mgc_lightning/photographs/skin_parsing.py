"""Skin by face parsing: BiSeNet of the `uniface` package, which fetches its weights by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError, require

SKIN_CLASSES = (1, 2, 3, 10, 12, 13)
"""Skin, brows, nose, lips among the 19 classes of CelebAMask-HQ (Lee et al., CVPR 2020); no eyes, glasses, hair,
ears, open mouth."""


class SkinParsing:
    """Segment skin by a network.

    Args:
        parser: has `parse(BGR image) -> classes (H, W)`; uniface's BiSeNet if not given.

    Raises:
        MissingExtraError: if uniface is not installed.
        MGCError: if its weights cannot be fetched.

    Example:
        >>> class Everything:
        ...     def parse(self, image):
        ...         return np.ones(image.shape[:2], dtype=np.int64)  # class 1 is skin
        >>> SkinParsing(Everything()).segment(torch.rand(3, 64, 64), torch.zeros(68, 2)).shape
        torch.Size([1, 64, 64])
    """

    def __init__(self, parser: Any = None) -> None:
        if parser is None:
            module = require("uniface.parsing", "parsing")
            try:
                parser = module.BiSeNet()
            except Exception as error:  # uniface raises many kinds where there is no network
                raise MGCError(
                    f"The weights of the face parser could not be fetched ({type(error).__name__}: {error}). Use "
                    "`skin=colours`, or give `masks`"
                ) from error
        self.parser = parser

    def segment(
        self,
        crop: Float[Tensor, "3 S S"],
        landmarks: Float[Tensor, "68 2"],
        path: Path | None = None,
        crop_from_image: Float[Tensor, "2 3"] | None = None,
    ) -> Float[Tensor, "1 S S"]:
        """Give the probability of skin: 0 or 1, softened at the edges."""
        array = (crop.permute(1, 2, 0).flip(-1) * 255).round().to(torch.uint8).numpy()
        classes = np.asarray(self.parser.parse(np.ascontiguousarray(array)))
        mask = torch.from_numpy(np.isin(classes, SKIN_CLASSES).astype(np.float32))
        return F.avg_pool2d(mask[None], 3, 1, 1, count_include_pad=False)
