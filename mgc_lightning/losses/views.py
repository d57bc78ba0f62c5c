"""What the terms of the objective look at: single views, and pairs of views, flattened over the batch."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.covisibility import covisible_mask
from mgc_lightning.geometry.pose import relative_transform
from mgc_lightning.geometry.view_synthesis import Correspondence, correspond, sample_bilinear
from mgc_lightning.scene import FaceViews
from mgc_lightning.structures import FaceTriplet


class SingleViews:
    """Give N views one by one: what is predicted, and what the photographs say. Each is gathered when first asked for.

    Args:
        views: predicted views of B samples.
        batch: their photographs, landmarks and skin.
        sample: (N,) index of the sample that each view is of; all views of all samples, sample by sample, if None.
        view: (N,) index of the view in its sample; 0 is the target.

    Attributes:
        sample: (N,).
        view: (N,).
        image_size: side of the images in px.
        expression_sigma: (E,) standard deviations of the expression's prior.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model, make_triplets, render_views
        >>> from mgc_lightning.fitting import initial_coefficients
        >>> face_model = load_face_model()
        >>> batch = make_triplets(face_model, 2, image_size=32)
        >>> start = initial_coefficients(face_model, batch.K, 32)
        >>> views = SingleViews(render_views(start, face_model, FaceRenderer(), batch.K, 32), batch)
        >>> len(views), views.composite.shape, views.landmarks.shape
        (6, torch.Size([6, 3, 32, 32]), torch.Size([6, 68, 2]))
    """

    def __init__(
        self,
        views: FaceViews,
        batch: FaceTriplet,
        sample: Int[Tensor, " N"] | None = None,
        view: Int[Tensor, " N"] | None = None,
    ) -> None:
        self._views, self._batch = views, batch
        self._rows: Int[Tensor, " N"] | None = None
        if sample is None or view is None:
            every = torch.arange(len(batch.images) * views.num_views, device=batch.images.device)
            sample, view = every // views.num_views, every % views.num_views
        else:
            self._rows = sample * views.num_views + view
        self.sample, self.view = sample, view
        self.image_size, self.expression_sigma = views.image_size, views.expression_sigma

    def __len__(self) -> int:
        return len(self.sample)

    @cached_property
    def photograph(self) -> Float[Tensor, "N 3 H W"]:
        """RGB in [0, 1]."""
        return self._of_sample(self._batch.images).float()

    @cached_property
    def detected(self) -> Float[Tensor, "N 68 2"]:
        """Landmarks in the photograph, px."""
        return self._of_sample(self._batch.landmarks).float()

    @cached_property
    def landmark_weights(self) -> Float[Tensor, "N 68"] | None:
        """How far each landmark is to be trusted, in [0, 1]; None for all 1."""
        weights = self._batch.landmark_weights
        return None if weights is None else self._of_sample(weights).float()

    @cached_property
    def skin(self) -> Float[Tensor, "N 1 H W"]:
        """Probability of skin in the photograph."""
        return self._of_sample(self._batch.skin).float()

    @cached_property
    def coefficients(self) -> FaceCoefficients:
        """Predicted, absolute (N, ...)."""
        return self._views.coefficients.map(self._of_sample)

    @cached_property
    def verts(self) -> Float[Tensor, "N K 3"]:
        """Predicted, mm, model frame."""
        return self._of_sample(self._views.mesh.verts)

    @cached_property
    def T_cam_model(self) -> Float[Tensor, "N 4 4"]:  # noqa: N802
        """Predicted pose."""
        return self._of_sample(self._views.T_cam_model)

    @cached_property
    def K(self) -> Float[Tensor, "N 3 3"]:  # noqa: N802
        """Intrinsics, px."""
        return self._of_sample(self._views.K)

    @cached_property
    def landmarks(self) -> Float[Tensor, "N 68 2"]:
        """Predicted and projected, px."""
        return self._of_sample(self._views.landmarks)

    @cached_property
    def image(self) -> Float[Tensor, "N 3 H W"]:
        """Rendered face, 0 in the background."""
        return self._flat(self._views.rendered.image)

    @cached_property
    def mask(self) -> Float[Tensor, "N 1 H W"]:
        """1 where the rendered face covers the pixel centre."""
        return self._flat(self._views.rendered.mask)

    @cached_property
    def depth(self) -> Float[Tensor, "N 1 H W"]:
        """Rendered camera z, mm; 0 in the background."""
        return self._flat(self._views.rendered.depth)

    @cached_property
    def pix_to_face(self) -> Int[Tensor, "N H W"]:
        """Triangle that each pixel shows; -1 in the background."""
        return self._flat(self._views.rendered.fragments.pix_to_face)

    @cached_property
    def composite(self) -> Float[Tensor, "N 3 H W"]:
        """The rendered face over its photograph."""
        return composite(self.image, self.mask, self.photograph)

    def _of_sample(self, values: Float[Tensor, "B V ..."]) -> Float[Tensor, "N ..."]:
        return self._flat(values.flatten(0, 1))

    def _flat(self, values: Tensor) -> Tensor:
        return values if self._rows is None else values[self._rows]


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
        >>> from mgc_lightning import FaceRenderer, FaceTriplet, load_face_model, render_views
        >>> from mgc_lightning.geometry import intrinsics
        >>> model, K = load_face_model(), intrinsics(32).expand(1, 3, 3, 3)
        >>> faces = model.mean_coefficients(batch_size=3).map(lambda group: group[None])  # one sample, three views
        >>> faces.pose[..., 1] = torch.tensor([0.0, 0.3, -0.3])  # radians that the head is turned
        >>> views = render_views(faces, model, FaceRenderer(), K, 32)
        >>> images, skin = views.rendered.image[None], views.rendered.mask[None]  # the renders are the photographs
        >>> batch = FaceTriplet(images, views.landmarks, skin, link=torch.tensor([2]), K=K)
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


def composite(
    rendered: Float[Tensor, "B 3 H W"], mask: Float[Tensor, "B 1 H W"], image: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "B 3 H W"]:
    """Lay the rendered face over the input image: the render inside the mask, the image outside.

    Args:
        rendered: (B, 3, H, W), 0 outside the mask.
        mask: (B, 1, H, W) coverage.
        image: (B, 3, H, W) RGB in [0, 1].

    Example:
        >>> rendered, image = torch.full((1, 3, 1, 2), 0.8), torch.full((1, 3, 1, 2), 0.1)
        >>> mask = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)  # the face covers the first pixel
        >>> composite(rendered, mask, image)[0, 0]
        tensor([[0.8000, 0.1000]])
    """
    return rendered * mask + (1 - mask) * image


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
