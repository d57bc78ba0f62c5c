"""One person has one identity and one albedo, whatever the view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.losses.terms import SampleLoss
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet

SharedGroup = Literal["identity", "albedo"]
"""Coefficients that all views of a person may have in common."""


class SamePerson(SampleLoss):
    """Measure how far views of one person differ in who they show: squared deviations from that person's mean.

    Views of one person teach at every `link`, so that unlinked samples teach too; strangers in a sample are never
    compared (`FaceTriplet.persons`). A network that explains each view alone bends its identity with the pose. The
    idea is that of RingNet's shape consistency (Sanyal et al., CVPR 2019), without its other person; MGCNet does not
    have it.

    Args:
        groups: of coefficients, `identity` or `albedo` or both; the latter where no tan or make-up comes between views.

    Raises:
        MGCError: for other groups, which views need not share.

    Example:
        In a config: `extra: {same_person: {loss: {class_path: mgc_lightning.losses.SamePerson}, weight: 2.0e-2}}`.

        >>> same_person(torch.tensor([[0, 0, 2]]))
        tensor([[[ True,  True, False],
                 [ True,  True, False],
                 [False, False,  True]]])
    """

    def __init__(self, groups: Sequence[SharedGroup] = ("identity",)) -> None:
        super().__init__()
        if not groups or not set(groups) <= set(get_args(SharedGroup)):
            raise MGCError(f"`groups` must be some of {', '.join(get_args(SharedGroup))}; got {list(groups)}")
        self.groups = tuple(groups)

    def applies(self, batch: FaceTriplet) -> Bool[Tensor, " B"]:
        """Say which samples have two views of one person."""
        return _in_company(same_person(batch.persons())).any(1)

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give |a - mean a|^2 in squared standard deviations, averaged over the views that show a person of another."""
        same = same_person(batch.persons())
        spreads = [_spread(getattr(views.coefficients, group), same) for group in self.groups]
        return torch.stack(spreads).sum(0)


def same_person(persons: Int[Tensor, "B V"]) -> Bool[Tensor, "B V V"]:
    """Say which two views of a sample show one person.

    Example:
        >>> same_person(torch.tensor([[0, 0, 7]])).int()  # views 0 and 1 show one person, view 2 another
        tensor([[[1, 1, 0],
                 [1, 1, 0],
                 [0, 0, 1]]], dtype=torch.int32)
    """
    return persons[:, :, None] == persons[:, None, :]


def _in_company(same: Bool[Tensor, "B V V"]) -> Bool[Tensor, "B V"]:
    return same.sum(-1) > 1


def _spread(values: Float[Tensor, "B V C"], same: Bool[Tensor, "B V V"]) -> Float[Tensor, " B"]:
    weights = same.to(values.dtype)
    mean = weights @ values / weights.sum(-1, keepdim=True)
    company = _in_company(same).to(values.dtype)
    squared = (values - mean).square().sum(-1) * company
    return squared.sum(-1) / company.sum(-1).clamp(min=1)
