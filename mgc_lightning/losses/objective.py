"""The weighted sum of all losses (MGCNet sec. 3.4)."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Weight
from mgc_lightning.errors import MGCError
from mgc_lightning.losses.depth import DepthConsistency
from mgc_lightning.losses.epipolar import EpipolarConsistency
from mgc_lightning.losses.identity import Identity, IdentityLoss
from mgc_lightning.losses.landmark import Landmarks
from mgc_lightning.losses.photometric import Photometric
from mgc_lightning.losses.pixel import PixelConsistency
from mgc_lightning.losses.priors import Prior
from mgc_lightning.losses.report import ObjectiveReport
from mgc_lightning.losses.schedule import Ramp
from mgc_lightning.losses.ssim import StructuralSimilarity
from mgc_lightning.losses.terms import PairLoss, Scene
from mgc_lightning.losses.weights import LossWeights, WeightedLoss
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet

log = logging.getLogger(__name__)
LINKS = (0, 1, 2)
"""What a sample's views can have in common; see `FaceTriplet.link`."""
LOGGED = {"loss", "total", "skipped_steps", "nme", "nme_mean_face", "rotation", "rotation_mean_face", "posed",
          "posed_mean_face", "posed_ratio", "neutral", "neutral_mean_face", "neutral_ratio"}  # fmt: skip
"""Names that are logged beside the terms."""


class MGCObjective(nn.Module):
    """Weigh a table of terms: losses of single views, of (target, source) pairs, and of whole samples.

    Geometry and losses run in float32 whatever the autocast around. Each term is averaged over the samples that it
    applies to (a pair term: those whose `link` allows it), over all processes where training is distributed.

    Args:
        weights: of the built-in terms; the paper's by default.
        landmark_detail: weight of nose and inner-lip landmarks beside 1 for the others.
        depth_tolerance: depth disagreement in mm up to which a pixel counts as covisible.
        depth_scale_free: compare depths up to a factor per pair.
        identity: the identity loss with its recogniser; off if None.
        prior_ramp: for the three priors, e.g. strong ones early.
        multi_view_ramp: for the built-in pair terms, e.g. from 0.
        extra: terms of your own by name.

    Raises:
        MGCError: if an extra loss takes a name that is taken.

    Example:
        >>> objective = MGCObjective(LossWeights(pixel=0.3), multi_view_ramp=Ramp(start=0.0, until=0.1))
        >>> objective.effective_weights(progress=0.05)["pixel"]
        0.15
        >>> [name for name, term in objective.terms().items() if isinstance(term.loss, PairLoss)]
        ['pixel', 'depth', 'ssim', 'epipolar']
    """

    @checked
    def __init__(
        self,
        weights: LossWeights | None = None,
        landmark_detail: Weight = 5.0,
        depth_tolerance: Weight = 5.0,
        depth_scale_free: bool = False,
        identity: IdentityLoss | None = None,
        prior_ramp: Ramp | None = None,
        multi_view_ramp: Ramp | None = None,
        extra: dict[str, WeightedLoss] | None = None,
    ) -> None:
        super().__init__()
        self.weights = weights or LossWeights()
        self.depth_tolerance = depth_tolerance
        self.prior_ramp = prior_ramp
        self.multi_view_ramp = multi_view_ramp
        self.extra = _checked(extra or {}, {field.name for field in fields(self.weights)})
        self.extra_modules = nn.ModuleDict({name: entry.loss for name, entry in self.extra.items()})
        self.built_in = nn.ModuleDict(built_in_losses(landmark_detail, depth_scale_free, identity))
        if identity is None and self.weights.identity:
            log.warning("The identity loss is off: no recogniser is given (weight %g unused)", self.weights.identity)

    @property
    def identity(self) -> IdentityLoss | None:
        """The identity loss, if there is one."""
        found = [loss.loss for loss in self.built_in.values() if isinstance(loss, Identity)]
        return found[0] if found else None

    @property
    def landmark_weights(self) -> Float[Tensor, " 68"]:
        """The weight of each landmark."""
        weights = self.built_in["landmark"].weights
        assert isinstance(weights, Tensor)
        return weights

    def terms(self) -> dict[str, WeightedLoss]:
        """Give the table: every term by name, the built-in ones first, each with its loss, weight and ramp."""
        weights = asdict(self.weights)
        rows = {}
        for name, loss in self.built_in.items():
            ramp = self.multi_view_ramp if isinstance(loss, PairLoss) else None
            rows[name] = WeightedLoss(loss, weights[name], self.prior_ramp if name.startswith("prior_") else ramp)
        return rows | self.extra

    def effective_weights(self, progress: float = 1.0) -> dict[str, float]:
        """Give the weights at a progress of training, ramps included; terms that are off are left out."""
        weights = {name: term.effective(progress) for name, term in self.terms().items()}
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
        table, weights = self.terms(), self.effective_weights(progress)
        scene = Scene(views, batch, self.depth_tolerance)
        values: dict[str, Float[Tensor, " B"]] = {}
        applies: dict[str, Bool[Tensor, " B"]] = {}
        with torch.autocast(device_type=batch.images.device.type, enabled=False):
            for name in weights:
                values[name], applies[name] = scene.evaluate(name, table[name].loss)
        # The paper sums over the sources; the terms are their means, which read in px and mm.
        sources = views.num_views - 1
        factors = {
            name: weight * (sources if isinstance(table[name].loss, PairLoss) else 1)
            for name, weight in weights.items()
        }
        total = batch.images.new_zeros((), dtype=torch.float32)
        for name, count in zip(values, self._counts(list(applies.values()), batch.images.device), strict=True):
            total = total + factors[name] * values[name].sum() / count
        return ObjectiveReport(total=total, terms=values, applies=applies, weights=factors, pairs=scene.pairs)

    def _counts(self, applies: list[Bool[Tensor, " B"]], device: torch.device) -> list[Tensor]:
        """Count the samples of each term, per process: gradients are averaged over processes afterwards."""
        if not applies:
            return []
        counts = torch.stack([rows.sum() for rows in applies]).to(device, torch.float32)
        if self.training and dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
            counts = counts / dist.get_world_size()
        return list(torch.where(counts > 0, counts, 1.0))


def built_in_losses(
    landmark_detail: float = 5.0, depth_scale_free: bool = False, identity: IdentityLoss | None = None
) -> dict[str, nn.Module]:
    """Give the paper's losses by the names of their weights.

    Example:
        >>> [name for name, loss in built_in_losses().items() if isinstance(loss, PairLoss)]
        ['pixel', 'depth', 'ssim', 'epipolar']
    """
    recognised = {} if identity is None else {"identity": Identity(identity)}
    return {
        "photometric": Photometric(),
        "landmark": Landmarks(landmark_detail),
        **recognised,
        "prior_identity": Prior("identity"),
        "prior_expression": Prior("expression"),
        "prior_albedo": Prior("albedo"),
        "pixel": PixelConsistency(),
        "depth": DepthConsistency(depth_scale_free),
        "ssim": StructuralSimilarity(),
        "epipolar": EpipolarConsistency(),
    }


def _checked(extra: dict[str, WeightedLoss], built_in: set[str]) -> dict[str, WeightedLoss]:
    """Make sure that extra losses are such, and have names that can be logged beside everything else."""
    for name, entry in extra.items():
        if not name.isidentifier() or hasattr(nn.ModuleDict, name):
            raise MGCError(f"An extra loss needs a name of letters, digits and _, such as `nose`; got {name!r}")
        if name in built_in | LOGGED:
            raise MGCError(f"Extra losses need names of their own; taken already: {name}")
        if not isinstance(entry, WeightedLoss) or not callable(entry.loss):
            given = type(entry).__name__
            raise MGCError(f"The extra loss `{name}` must be a WeightedLoss (loss, weight, ramp); got {given}")
        if getattr(entry.loss, "link", 0) not in LINKS:
            raise MGCError(f"The extra loss `{name}` asks for link {entry.loss.link!r}; samples have 0, 1 or 2")
    return extra


def _check(views: FaceViews, batch: FaceTriplet) -> None:
    expected = (*views.T_cam_model.shape[:2], 3, views.image_size, views.image_size)
    if tuple(batch.images.shape) != expected:
        raise MGCError(
            f"The objective needs images shaped as the rendered views, {expected}; got {tuple(batch.images.shape)}"
        )


__all__ = ["LossWeights", "MGCObjective", "WeightedLoss"]
