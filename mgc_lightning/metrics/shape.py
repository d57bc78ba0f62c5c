"""Vertex distance between meshes of the same topology."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit
from mgc_lightning.metrics.sample_mean import SampleMean


def vertex_distances(
    predicted: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"], mask: Bool[Tensor, " N"]
) -> Float[Tensor, "*batch M"]:
    """Compute the distance of every masked vertex, in mm, after the similarity that best aligns the masked vertices.

    Args:
        predicted: mm, model frame.
        target: mm, model frame, same topology.
        mask: the vertices that count (the face mask).

    Example:
        >>> import torch
        >>> true = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
        >>> bent = true + torch.tensor([[0.0, 0, 0.2], [0, 0, -0.2], [0, 0, 0.2], [0, 0, -0.2]])
        >>> everything = torch.ones(4, dtype=torch.bool)
        >>> vertex_distances(7 * bent + 50, true, everything).round(decimals=3)  # size and place do not matter
        tensor([0.1920, 0.1920, 0.1920, 0.1920])
    """
    predicted, target = predicted[..., mask, :], target[..., mask, :]
    # Centred before the fit: float32 then loses nothing to the distance from the origin.
    predicted = predicted - predicted.mean(dim=-2, keepdim=True)
    target = target - target.mean(dim=-2, keepdim=True)
    return (apply_similarity(predicted, *similarity_fit(predicted, target)) - target).norm(dim=-1)


def vertex_distance(
    predicted: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"], mask: Bool[Tensor, " N"]
) -> Float[Tensor, "*batch"]:
    """Average `vertex_distances` over the mask: mean vertex distance in mm.

    Example:
        >>> import torch
        >>> true = torch.rand(3, 10, 3, generator=torch.Generator().manual_seed(0))
        >>> vertex_distance(2 * true - 5, true, torch.ones(10, dtype=torch.bool)).round(decimals=4)
        tensor([0., 0., 0.])
    """
    return vertex_distances(predicted, target, mask).mean(dim=-1)


class VertexDistance(SampleMean):
    """Average the mean vertex distance over samples, in mm.

    Args:
        mask: (N,) the vertices that count.
        **kwargs: of `torchmetrics.Metric`.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> metric = VertexDistance(model.face_mask)
        >>> metric.update(1.1 * model.mean[None], model.mean[None])
        >>> round(metric.compute().item(), 2)  # mm; a larger head of the same shape has no error
        0.0
    """

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, " N"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer("mask", mask.clone(), persistent=False)

    def update(  # type: ignore[override]
        self,
        predicted: Float[Tensor, "B *views N 3"],
        target: Float[Tensor, "B *views N 3"],
        samples: Sequence[str] | None = None,
    ) -> None:
        """Add samples of vertices in mm, with their names."""
        self.add(vertex_distance(predicted, target, self.mask), samples)
