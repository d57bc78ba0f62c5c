"""Normalised mean error of landmarks, the score of AFLW2000-3D."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.metrics.sample_mean import SampleMean


def normalized_mean_error(
    predicted: Float[Tensor, "*batch P 2"], target: Float[Tensor, "*batch P 2"]
) -> Float[Tensor, "*batch"]:
    """Compute the mean point distance over the square root of the target's bounding-box area, in percent.

    Source: the AFLW2000-3D protocol (Zhu et al., Face Alignment Across Large Poses, CVPR 2016, sec. 5).

    Example:
        >>> import torch
        >>> target = torch.tensor([[0.0, 0.0], [10.0, 10.0]])
        >>> normalized_mean_error(target + torch.tensor([0.0, 1.0]), target)
        tensor(10.)
    """
    extent = target.amax(dim=-2) - target.amin(dim=-2)
    size = extent.prod(dim=-1).sqrt()
    return 100.0 * (predicted - target).norm(dim=-1).mean(dim=-1) / size


class NormalizedMeanError(SampleMean):
    """Average `normalized_mean_error` over samples, in percent.

    Example:
        >>> import torch
        >>> square = torch.tensor([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])[None]
        >>> metric = NormalizedMeanError()
        >>> metric.update(square + torch.tensor([3.0, 4.0]), square)  # 5 px of 100
        >>> round(metric.compute().item(), 3)
        5.0
    """

    def update(  # type: ignore[override]
        self,
        predicted: Float[Tensor, "B *views P 2"],
        target: Float[Tensor, "B *views P 2"],
        samples: Sequence[str] | None = None,
    ) -> None:
        """Add samples of landmarks in px, with their names."""
        self.add(normalized_mean_error(predicted, target), samples)
