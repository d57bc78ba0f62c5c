"""What terms of pairs look at: a target, and a source synthesised in its frame."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.geometry.covisibility import covisible_mask
from mgc_lightning.geometry.pose import relative_transform
from mgc_lightning.geometry.view_synthesis import Correspondence, correspond, sample_bilinear
from mgc_lightning.losses.views import SingleViews
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet


class ViewPairs:
    """Give P (target, source) pairs and each source synthesised in its target's frame, when first asked for.

    Args:
        views: predicted views; the warp follows their depth and poses.
        batch: their photographs, landmarks and skin.
        sample: (P,) index of each pair's sample.
        source: (P,) index of its source view, from 1; view 0 is the target.
        tolerance: of the covisibility's depth test, mm.

    Attributes:
        sample: (P,).
        target: the target views, P in number.
        source: the source views.
        image_size: side of the images in px.

    Example:
        >>> from mgc_lightning.losses import perfect_views
        >>> views, batch = perfect_views()
        >>> pairs = ViewPairs(views, batch, sample=torch.tensor([0]), source=torch.tensor([2]))
        >>> len(pairs), pairs.image_synthesised.shape  # the last source's photograph as the target sees it
        (1, torch.Size([1, 3, 32, 32]))
        >>> distance = (pairs.image_synthesised - pairs.image_target).abs() * pairs.mask
        >>> round((distance.sum() / pairs.mask.sum() / 3).item(), 2)
        0.0
    """

    def __init__(
        self,
        views: FaceViews,
        batch: FaceTriplet,
        sample: Int[Tensor, " P"],
        source: Int[Tensor, " P"],
        tolerance: float = 5.0,
    ) -> None:
        self.sample = sample
        self.target = SingleViews(views, batch, sample, torch.zeros_like(source))
        self.source = SingleViews(views, batch, sample, source)
        self.image_size = views.image_size
        self._faces, self._num_verts = views.rendered.fragments.faces, views.mesh.verts.shape[-2]
        self._tolerance = tolerance

    def __len__(self) -> int:
        return len(self.sample)

    @cached_property
    def T_source_target(self) -> Float[Tensor, "P 4 4"]:  # noqa: N802
        """Predicted map of target-camera points to source-camera points."""
        return relative_transform(self.target.T_cam_model, self.source.T_cam_model)

    @property
    def image_target(self) -> Float[Tensor, "P 3 H W"]:
        """The target's photograph."""
        return self.target.photograph

    @cached_property
    def image_synthesised(self) -> Float[Tensor, "P 3 H W"]:
        """The source's photograph at the target's surface points."""
        return sample_bilinear(self.source.photograph, self._found.uv)

    @cached_property
    def depth_sampled(self) -> Float[Tensor, "P 1 H W"]:
        """The source's depth at the target's surface points, mm."""
        return sample_bilinear(self.source.depth, self._found.uv)

    @property
    def depth_transformed(self) -> Float[Tensor, "P 1 H W"]:
        """The depth of the target's surface points in the source camera's frame, mm."""
        return self._found.depth

    @cached_property
    def mask(self) -> Float[Tensor, "P 1 H W"]:
        """Covisible pixels of the target, 0 or 1; no gradient."""
        covisible = covisible_mask(
            self._found,
            self.source.depth,
            self.target.pix_to_face,
            self.source.pix_to_face,
            self._faces,
            self._num_verts,
            self._tolerance,
        )
        return covisible.to(self.image_target.dtype)

    @cached_property
    def _found(self) -> Correspondence:
        return correspond(self.target.depth, self.T_source_target, self.target.K, self.source.K)


def pair_views(
    views: FaceViews,
    batch: FaceTriplet,
    which: Bool[Tensor, "B S"] | None = None,
    tolerance: float = 5.0,
) -> ViewPairs:
    """Pair the target with its sources.

    Args:
        views: predicted views.
        batch: their photographs, landmarks and skin.
        which: (B, S) for each of the S = V - 1 sources of each sample, whether its pair is wanted; all if None.
        tolerance: of the covisibility's depth test, mm.

    Returns:
        The pairs, sample by sample.

    Example:
        >>> from mgc_lightning.face_models import load_face_model
        >>> from mgc_lightning.fitting.landmark_fit import initial_coefficients
        >>> from mgc_lightning.rendering.renderer import FaceRenderer
        >>> from mgc_lightning import make_triplets, render_views
        >>> face_model = load_face_model()
        >>> batch = make_triplets(face_model, 2, image_size=32)
        >>> start = initial_coefficients(face_model, batch.K, 32)
        >>> pairs = pair_views(render_views(start, face_model, FaceRenderer(), batch.K, 32), batch)
        >>> pairs.sample.tolist(), pairs.source.view.tolist(), pairs.image_synthesised.shape
        ([0, 0, 1, 1], [1, 2, 1, 2], torch.Size([4, 3, 32, 32]))
    """
    if which is None:
        which = torch.ones_like(batch.images[:, 1:, 0, 0, 0], dtype=torch.bool)
    sample, source = torch.nonzero(which, as_tuple=True)
    return ViewPairs(views, batch, sample, source + 1, tolerance)
