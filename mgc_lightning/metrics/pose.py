"""Rotation error of the head pose."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.pose import rotation_error
from mgc_lightning.metrics.sample_mean import SampleMean


class RotationError(SampleMean):
    """Average the geodesic angle between rotations over samples, in degrees.

    Example:
        >>> import torch
        >>> metric = RotationError()
        >>> metric.update(torch.eye(3)[None], torch.eye(3)[None])
        >>> metric.compute().item()
        0.0
    """

    def update(  # type: ignore[override]
        self,
        predicted: Float[Tensor, "B *views 3 3"],
        target: Float[Tensor, "B *views 3 3"],
        samples: Sequence[str] | None = None,
    ) -> None:
        """Add samples of rotation matrices, with their names."""
        self.add(rotation_error(predicted, target), samples)
