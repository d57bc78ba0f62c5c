"""Least-squares similarity transforms between point sets (Umeyama, PAMI 1991)."""

from __future__ import annotations

import functools

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError


def similarity_fit(
    source: Float[Tensor, "*batch N D"],
    target: Float[Tensor, "*batch N D"],
    weights: Float[Tensor, "*batch N"] | None = None,
    with_scale: bool = True,
) -> tuple[Float[Tensor, " *batch"], Float[Tensor, "*batch D D"], Float[Tensor, "*batch D"]]:
    """Minimise the sum of w_i |s R source_i + t - target_i|^2 over similarities without reflection.

    Where the source has no extent the scale is 1; where it spans less than D - 1 dimensions, R is one of the
    best rotations. Differentiable in the points; the gradient is damped where the solution is not unique.

    Args:
        source: (..., N, D) points, D 2 or more.
        target: (..., N, D) corresponding points; batch dimensions broadcast with those of `source`.
        weights: (..., N) non-negative, not all zero; all one if None.
        with_scale: False fixes s = 1 (a rigid fit).

    Returns:
        s (...), R (..., D, D) with determinant 1, t (..., D).

    Raises:
        MGCError: if the shapes do not fit each other.

    Example:
        >>> points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> s, R, t = similarity_fit(points, 2 * points + 3)
        >>> round(s.item(), 4), t.round(decimals=4).tolist()
        (2.0, [3.0, 3.0])
    """
    _check(source, target, weights)
    batch = torch.broadcast_shapes(source.shape[:-2], target.shape[:-2])
    source, target = source.expand(*batch, *source.shape[-2:]), target.expand(*batch, *target.shape[-2:])
    share = torch.ones_like(source[..., 0]) if weights is None else weights.expand(*batch, -1).to(source.dtype)
    share = (share / share.sum(-1, keepdim=True))[..., None]

    source_mean, target_mean = (share * source).sum(-2), (share * target).sum(-2)
    source_centred, target_centred = source - source_mean[..., None, :], target - target_mean[..., None, :]
    covariance = (share * target_centred).mT @ source_centred
    _keep_constants(covariance.device)
    # Normalised, so that roma's damping of the gradient sees the same numbers in mm, metres and pixels.
    size = torch.linalg.matrix_norm(covariance.detach()).clamp(min=torch.finfo(source.dtype).tiny)
    R = roma.special_procrustes(covariance / size[..., None, None])
    if with_scale:
        variance = (share * source_centred.square()).sum((-2, -1))
        has_extent = variance > 0
        trace = (R * covariance).sum((-2, -1))
        s = torch.where(has_extent, trace / torch.where(has_extent, variance, 1.0), 1.0)
    else:
        s = torch.ones_like(source_mean[..., 0])
    t = target_mean - s[..., None] * (R @ source_mean[..., None]).squeeze(-1)
    return s, R, t


def apply_similarity(
    points: Float[Tensor, "*batch N D"],
    s: Float[Tensor, " *batch"],
    R: Float[Tensor, "*batch D D"],
    t: Float[Tensor, "*batch D"],
) -> Float[Tensor, "*batch N D"]:
    """Map points (..., N, D) to s R x + t.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
        >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> apply_similarity(square, torch.tensor(2.0), quarter, torch.tensor([10.0, 0.0])).tolist()
        [[10.0, 0.0], [10.0, 2.0], [8.0, 2.0]]
    """
    return s[..., None, None] * (points @ R.mT) + t[..., None, :]


def _check(source: Tensor, target: Tensor, weights: Tensor | None) -> None:
    if source.shape[-2:] != target.shape[-2:]:
        raise MGCError(
            "A similarity fit needs corresponding points of equal shape (..., N, D); "
            f"got {tuple(source.shape)} and {tuple(target.shape)}"
        )
    if weights is not None and weights.shape[-1] != source.shape[-2]:
        raise MGCError(
            f"A similarity fit needs one weight a point, {source.shape[-2]}; got shape {tuple(weights.shape)}"
        )


@functools.cache
def _keep_constants(device: torch.device) -> None:
    """Make roma's constants of a device as ordinary tensors: it keeps them, and autograd refuses inference tensors."""
    with torch.inference_mode(False):
        roma.special_procrustes(torch.eye(3, device=device)[None])
