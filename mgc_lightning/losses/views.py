"""What the terms of the objective look at: single views, and pairs of views, flattened over the batch."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
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
