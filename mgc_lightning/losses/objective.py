"""The weighted sum of all losses (MGCNet sec. 3.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.losses.depth import depth_consistency
from mgc_lightning.losses.epipolar import epipolar_loss
from mgc_lightning.losses.identity import IdentityLoss
from mgc_lightning.losses.landmark import landmark_loss, landmark_weights
from mgc_lightning.losses.photometric import composite, photometric_loss, skin_weight
from mgc_lightning.losses.pixel import pixel_consistency
from mgc_lightning.losses.priors import gaussian_prior
from mgc_lightning.losses.report import ObjectiveReport
from mgc_lightning.losses.schedule import Ramp
from mgc_lightning.losses.ssim import ssim_loss
from mgc_lightning.losses.weights import LINK_NEEDED, MULTI_VIEW, PRIORS, LossWeights, WeightedLoss
from mgc_lightning.scene import FaceViews, ViewPairs, pair_views
from mgc_lightning.structures import FaceTriplet

log = logging.getLogger(__name__)


class MGCObjective(nn.Module):
    """Weigh single-view losses on each view and multi-view losses on (target, source) pairs.

    Geometry and losses run in float32 whatever the autocast around. Each multi-view term is averaged over the
    samples whose `link` allows it, over all processes where training is distributed.

    Args:
        weights: of the terms; the paper's by default.
        landmark_detail: weight of nose and inner-lip landmarks beside 1 for the others.
        depth_tolerance: depth disagreement in mm up to which a pixel counts as covisible.
        depth_scale_free: compare depths up to a factor per pair.
        identity: the identity loss with its recogniser; off if None.
        prior_ramp: for the three priors, e.g. strong ones early.
        multi_view_ramp: for the multi-view terms, e.g. from 0.
        extra: losses of your own by name.

    Raises:
        MGCError: if an extra loss takes a name that is taken.

    Example:
        >>> objective = MGCObjective(LossWeights(pixel=0.3), multi_view_ramp=Ramp(start=0.0, until=0.1))
        >>> objective.effective_weights(progress=0.05)["pixel"]
        0.15
    """

    landmark_weights: Float[Tensor, " 68"]

    def __init__(
        self,
        weights: LossWeights | None = None,
        landmark_detail: float = 5.0,
        depth_tolerance: float = 5.0,
        depth_scale_free: bool = False,
        identity: IdentityLoss | None = None,
        prior_ramp: Ramp | None = None,
        multi_view_ramp: Ramp | None = None,
        extra: dict[str, WeightedLoss] | None = None,
    ) -> None:
        super().__init__()
        self.weights = weights or LossWeights()
        self.depth_tolerance = depth_tolerance
        self.depth_scale_free = depth_scale_free
        self.identity = identity
        self.prior_ramp = prior_ramp
        self.multi_view_ramp = multi_view_ramp
        self.extra = extra or {}
        self.extra_modules = nn.ModuleDict({name: entry.loss for name, entry in self.extra.items()})
        self.register_buffer("landmark_weights", landmark_weights(landmark_detail), persistent=False)
        taken = sorted(set(self.extra) & set(asdict(self.weights)))
        if taken:
            raise MGCError(f"Extra losses need names of their own; taken already: {', '.join(taken)}")
        if identity is None and self.weights.identity:
            log.warning("The identity loss is off: no recogniser is given (weight %g unused)", self.weights.identity)

    def effective_weights(self, progress: float = 1.0) -> dict[str, float]:
        """Give the weights at a progress of training, ramps included; terms that are off are left out."""
        weights = asdict(self.weights)
        if self.identity is None:
            del weights["identity"]
        ramps = {name: entry.ramp for name, entry in self.extra.items()}
        ramps |= dict.fromkeys(PRIORS, self.prior_ramp) | dict.fromkeys(MULTI_VIEW, self.multi_view_ramp)
        weights |= {name: entry.weight for name, entry in self.extra.items()}
        for name, ramp in ramps.items():
            if ramp is not None:
                weights[name] *= ramp(progress)
        return {name: weight for name, weight in weights.items() if weight}

    def forward(self, views: FaceViews, batch: FaceTriplet, progress: float = 1.0) -> ObjectiveReport:
        """Compute every term whose weight is not 0, and their weighted sum.

        Args:
            views: predicted views, rendered at the images' size.
            batch: photographs, landmarks, skin, link and intrinsics.
            progress: of training, in [0, 1]; moves the ramps.

        Raises:
            MGCError: if views and batch do not fit each other.
        """
        _check(views, batch)
        weights = self.effective_weights(progress)
        with torch.autocast(device_type=batch.images.device.type, enabled=False):
            terms = self._single_view(views, batch, weights)
            terms |= self._multi_view(views, batch, weights)
            terms |= {name: self.extra_modules[name](views, batch) for name in self.extra if name in weights}
        return self._weigh(terms, batch, views.num_views, weights)

    def _single_view(
        self, views: FaceViews, batch: FaceTriplet, weights: dict[str, float]
    ) -> dict[str, Float[Tensor, " B"]]:
        """Compute the terms of single views, averaged over the views of each sample."""
        images, detected = batch.images.flatten(0, 1).float(), batch.landmarks.flatten(0, 1).float()
        predicted, rendered = views.landmarks.flatten(0, 1), views.rendered
        coefficients = views.coefficients.map(lambda group: group.flatten(0, 1))
        image = composite(rendered.image, rendered.mask, images)
        skin = skin_weight(batch.skin.flatten(0, 1).float())
        terms: dict[str, Callable[[], Tensor]] = {
            "photometric": lambda: photometric_loss(image, images, skin, rendered.mask),
            "landmark": lambda: landmark_loss(
                predicted, detected, self.landmark_weights, REFERENCE_SIZE / views.image_size
            ),
            "identity": lambda: self.identity(image, images, predicted, detected),
            "prior_identity": lambda: gaussian_prior(coefficients.identity),
            "prior_expression": lambda: gaussian_prior(coefficients.expression, views.expression_sigma),
            "prior_albedo": lambda: gaussian_prior(coefficients.albedo),
        }
        shape = batch.images.shape[:2]
        return {name: term().unflatten(0, shape).mean(1) for name, term in terms.items() if name in weights}

    def _multi_view(
        self, views: FaceViews, batch: FaceTriplet, weights: dict[str, float]
    ) -> dict[str, Float[Tensor, " B"]]:
        """Compute the terms of view pairs, averaged over the sources; 0 for samples that are not linked."""
        active = [name for name in MULTI_VIEW if name in weights]
        terms = {name: batch.images.new_zeros(len(batch.images), dtype=torch.float32) for name in active}
        if views.num_views < 2 or not active:
            return terms
        # Only linked samples are computed at all: the others get exactly no gradient, and cost nothing.
        for level in sorted({LINK_NEEDED[name] for name in active}):
            samples = torch.nonzero(batch.link >= level).flatten()
            if len(samples) == 0:
                continue
            names = [name for name in active if LINK_NEEDED[name] == level]
            values = self._pair_terms(views, batch, samples, names)
            for name in names:
                per_sample = values[name].unflatten(0, (len(samples), -1)).mean(1)
                terms[name] = terms[name].index_put((samples,), per_sample.float())
        return terms

    def _pair_terms(
        self, views: FaceViews, batch: FaceTriplet, samples: Tensor, names: list[str]
    ) -> dict[str, Float[Tensor, " P"]]:
        if names == ["epipolar"]:
            return {"epipolar": self._epipolar(views, batch, samples)}
        pairs = pair_views(views, batch.images.float(), samples, self.depth_tolerance)
        terms: dict[str, Callable[[ViewPairs], Tensor]] = {
            "pixel": lambda p: pixel_consistency(p.image_synthesised, p.image_target, p.mask),
            "depth": lambda p: depth_consistency(p.depth_sampled, p.depth_transformed, p.mask, self.depth_scale_free),
            "ssim": lambda p: ssim_loss(p.image_synthesised, p.image_target, p.mask),
        }
        return {name: terms[name](pairs) for name in names}

    def _epipolar(self, views: FaceViews, batch: FaceTriplet, samples: Tensor) -> Float[Tensor, " P"]:
        def target_and_source(values: Tensor) -> tuple[Tensor, Tensor]:
            values = values[samples].float()
            return values[:, :1].expand_as(values[:, 1:]).flatten(0, 1), values[:, 1:].flatten(0, 1)

        landmarks, T_cam_model, K = map(target_and_source, (batch.landmarks, views.T_cam_model, views.K))
        return epipolar_loss(*landmarks, *T_cam_model, *K, scale=REFERENCE_SIZE / views.image_size)

    def _weigh(
        self, terms: dict[str, Tensor], batch: FaceTriplet, num_views: int, weights: dict[str, float]
    ) -> ObjectiveReport:
        everyone = torch.ones_like(batch.link, dtype=torch.bool)
        nobody = torch.zeros_like(everyone)
        applies: dict[str, Bool[Tensor, " B"]] = {}
        for name in terms:
            linked = batch.link >= LINK_NEEDED.get(name, 0)
            applies[name] = (linked if num_views > 1 else nobody) if name in MULTI_VIEW else everyone
        # The paper sums over the sources; the terms are their means, which read in px and mm.
        factors = {name: weights[name] * (num_views - 1 if name in MULTI_VIEW else 1) for name in terms}
        counts = self._counts([applies[name] for name in terms], batch.images.device)
        total = batch.images.new_zeros((), dtype=torch.float32)
        for (name, values), count in zip(terms.items(), counts, strict=True):
            total = total + factors[name] * values.sum() / count
        return ObjectiveReport(total=total, terms=terms, applies=applies, weights=factors)

    def _counts(self, applies: list[Bool[Tensor, " B"]], device: torch.device) -> list[Tensor]:
        """Count the samples of each term, per process: gradients are averaged over processes afterwards."""
        if not applies:
            return []
        counts = torch.stack([rows.sum() for rows in applies]).to(device, torch.float32)
        if self.training and dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
            counts = counts / dist.get_world_size()
        return list(torch.where(counts > 0, counts, 1.0))


def _check(views: FaceViews, batch: FaceTriplet) -> None:
    expected = (*views.T_cam_model.shape[:2], 3, views.image_size, views.image_size)
    if tuple(batch.images.shape) != expected:
        raise MGCError(
            f"The objective needs images shaped as the rendered views, {expected}; got {tuple(batch.images.shape)}"
        )


__all__ = ["LossWeights", "MGCObjective", "WeightedLoss"]
