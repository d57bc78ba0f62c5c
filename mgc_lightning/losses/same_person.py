"""One person has one identity and one albedo, whatever the view."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.errors import MGCError
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet

GROUPS = ("identity", "albedo")


class SamePerson(nn.Module):
    """Measure how far the views of a sample differ in who they show: squared deviations from the views' mean.

    The views of a sample show one person at every `link`, so that unlinked samples teach too. A network that explains
    each view alone bends its identity with the pose. The idea is that of RingNet's shape consistency (Sanyal et al.,
    CVPR 2019), without its other person; MGCNet does not have it.

    Args:
        groups: of coefficients, `identity` or `albedo` or both; the latter where no tan or make-up comes between views.

    Raises:
        MGCError: for other groups, which views need not share.
    """

    def __init__(self, groups: Sequence[str] = ("identity",)) -> None:
        super().__init__()
        if not groups or not set(groups) <= set(GROUPS):
            raise MGCError(f"Views of a person share {GROUPS}; got groups={list(groups)}")
        self.groups = tuple(groups)

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give sum_i (a_i - mean a_i)^2 in squared standard deviations, averaged over the views; 0 for one view."""
        spreads = [self._spread(getattr(views.coefficients, group)) for group in self.groups]
        return torch.stack(spreads).sum(0)

    def _spread(self, values: Float[Tensor, "B V C"]) -> Float[Tensor, " B"]:
        return (values - values.mean(dim=1, keepdim=True)).square().sum(-1).mean(-1)
