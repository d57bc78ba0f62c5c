"""What a term of the objective is computed on: each view, each pair of views, or a whole sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgc_lightning.errors import MGCError
from mgc_lightning.losses.pairs import ViewPairs, pair_views
from mgc_lightning.losses.views import SingleViews
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet


class ViewLoss(nn.Module):
    """Look at each view by itself. The objective averages over the views of a sample.

    Attributes:
        link: least `link` of the samples whose views are given.

    Example:
        >>> class Bright(ViewLoss):
        ...     def forward(self, views: SingleViews) -> Tensor:
        ...         return (views.composite - views.photograph).mean((1, 2, 3)).relu()
    """

    link: int = 0

    def forward(self, views: SingleViews) -> Float[Tensor, " N"]:
        """Give one value a view."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(views: SingleViews)")


class PairLoss(nn.Module):
    """Look at each pair of a target and a source of one person. The objective sums over a target's sources.

    Attributes:
        link: least `link` of the samples whose pairs are given: 1 where a loss needs one moment and one light (pixels,
            depth), 2 where it needs the cameras too (epipolar geometry), 0 where it needs one person alone. A pair
            of strangers is never given.

    Example:
        >>> class OneExpression(PairLoss):
        ...     link = 1
        ...
        ...     def forward(self, pairs: ViewPairs) -> Tensor:
        ...         difference = pairs.source.coefficients.expression - pairs.target.coefficients.expression
        ...         return difference.square().mean(-1)
    """

    link: int = 1

    def forward(self, pairs: ViewPairs) -> Float[Tensor, " P"]:
        """Give one value a pair."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(pairs: ViewPairs)")


class SampleLoss(nn.Module):
    """Look at all views of a sample together. Any module with this `forward` is one; `link` and `applies` are for more.

    Attributes:
        link: least `link` of the samples that count.

    Example:
        >>> class OneAlbedo(SampleLoss):
        ...     link = 1
        ...
        ...     def forward(self, views: FaceViews, batch: FaceTriplet) -> Tensor:
        ...         return views.coefficients.albedo.var(dim=1).mean(-1)
    """

    link: int = 0

    def applies(self, batch: FaceTriplet) -> Bool[Tensor, " B"]:
        """Say which samples have something to compare: the others get no gradient and do not count in the mean."""
        return torch.ones_like(batch.link, dtype=torch.bool)

    def forward(self, views: FaceViews, batch: FaceTriplet) -> Float[Tensor, " B"]:
        """Give one value a sample."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(views: FaceViews, batch: FaceTriplet)")


class Scene:
    """Hold what the terms of one batch are computed on. What several terms need is made once, and when first needed.

    Args:
        views: predicted views.
        batch: their photographs, landmarks, skin, link and persons.
        depth_tolerance: depth disagreement in mm up to which a pixel counts as covisible.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model, make_triplets, render_views
        >>> from mgc_lightning.fitting import initial_coefficients
        >>> from mgc_lightning.losses.pixel import PixelConsistency
        >>> face_model = load_face_model()
        >>> batch = make_triplets(face_model, 4, image_size=32)
        >>> start = initial_coefficients(face_model, batch.K, 32)
        >>> scene = Scene(render_views(start, face_model, FaceRenderer(), batch.K, 32), batch)
        >>> values, applies = scene.evaluate("pixel", PixelConsistency())
        >>> batch.link.tolist(), applies.tolist(), (values > 0).tolist()
        ([2, 2, 0, 2], [True, True, False, True], [True, True, False, True])
    """

    def __init__(self, views: FaceViews, batch: FaceTriplet, depth_tolerance: float = 5.0) -> None:
        self.views, self.batch = views, batch
        self.depth_tolerance = depth_tolerance
        self.pairs: dict[str, tuple[Float[Tensor, "B S"], Bool[Tensor, "B S"]]] = {}
        """Values of the pair terms that were evaluated, for each source, and which pairs were given."""
        self._singles: dict[int, SingleViews] = {}
        self._pairs: dict[int, ViewPairs] = {}

    def evaluate(self, name: str, loss: nn.Module) -> tuple[Float[Tensor, " B"], Bool[Tensor, " B"]]:
        """Compute a term per sample, and say which samples it applies to; the others have 0.

        Only views and pairs with the link that the term needs are computed at all: the others cost nothing and get
        exactly no gradient.

        Raises:
            MGCError: if the loss gives values of another shape.
        """
        if isinstance(loss, ViewLoss):
            return self._of_views(name, loss)
        if isinstance(loss, PairLoss):
            return self._of_pairs(name, loss)
        return self._of_samples(name, loss)

    def _of_views(self, name: str, loss: ViewLoss) -> tuple[Tensor, Tensor]:
        applies = self.batch.link >= loss.link
        singles = self._singles_at(loss.link)
        values = _call(name, loss, len(singles), singles).unflatten(0, (-1, self.views.num_views)).mean(1)
        if loss.link <= 0:
            return values, applies
        return _zeros(self.batch).index_put((applies.nonzero().flatten(),), values), applies

    def _of_pairs(self, name: str, loss: PairLoss) -> tuple[Tensor, Tensor]:
        pairs = self._pairs_at(loss.link)
        sources = self.views.num_views - 1
        values = self.batch.images.new_zeros(len(self.batch.images), sources, dtype=torch.float32)
        given = torch.zeros_like(values)
        if len(pairs):
            place = (pairs.sample, pairs.source.view - 1)
            values = values.index_put(place, _call(name, loss, len(pairs), pairs))
            given = given.index_put(place, given.new_ones(()))
        self.pairs[name] = values, given > 0
        count = given.sum(1)
        return values.sum(1) / count.clamp(min=1), count > 0

    def _of_samples(self, name: str, loss: nn.Module) -> tuple[Tensor, Tensor]:
        values = _call(name, loss, len(self.batch.images), self.views, self.batch)
        if not isinstance(loss, SampleLoss):
            return values, torch.ones_like(self.batch.link, dtype=torch.bool)
        applies = (self.batch.link >= loss.link) & loss.applies(self.batch)
        return torch.where(applies, values, torch.zeros_like(values)), applies

    def _singles_at(self, link: int) -> SingleViews:
        if link not in self._singles:
            chosen: tuple[Tensor, ...] = ()
            if link > 0:
                linked = (self.batch.link >= link)[:, None].expand(-1, self.views.num_views)
                chosen = torch.nonzero(linked, as_tuple=True)
            self._singles[link] = SingleViews(self.views, self.batch, *chosen)
        return self._singles[link]

    def _pairs_at(self, link: int) -> ViewPairs:
        if link not in self._pairs:
            persons = self.batch.persons()
            which = (persons[:, 1:] == persons[:, :1]) & (self.batch.link >= link)[:, None]
            self._pairs[link] = pair_views(self.views, self.batch, which, self.depth_tolerance)
        return self._pairs[link]


def _call(name: str, loss: Callable[..., Tensor], expected: int, *inputs: object) -> Float[Tensor, " N"]:
    values = loss(*inputs)
    if not isinstance(values, Tensor) or values.shape != (expected,):
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise MGCError(
            f"The loss `{name}` ({type(loss).__name__}) must give one value for each view, pair or sample that it is "
            f"given, here a tensor of shape ({expected},); got {got}"
        )
    return values.float()


def _zeros(batch: FaceTriplet) -> Float[Tensor, " B"]:
    return batch.images.new_zeros(len(batch.images), dtype=torch.float32)
