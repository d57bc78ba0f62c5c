"""A sample of which every loss is known: for examples, and to try a loss of one's own on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views
from mgc_lightning.structures import FaceTriplet


def perfect_views(image_size: int = 32, yaws: Sequence[float] = (0.0, 0.3, -0.3)) -> tuple[FaceViews, FaceTriplet]:
    """Render the embedded model's mean face from several sides, and take the renders for its photographs.

    The prediction is perfect: what compares it with the photographs, or views with each other, is 0. Change the batch
    or the coefficients, and see what a loss makes of it.

    Args:
        image_size: side of the images in px.
        yaws: radians that the head is turned in each view; the first is the target.

    Returns:
        The views, and their batch of one sample: of one moment, with known cameras (`link` 2).

    Example:
        >>> from mgc_lightning.losses import EpipolarConsistency, pair_views
        >>> views, batch = perfect_views()
        >>> batch.images.shape, pair_views(views, batch).source.view.tolist()
        (torch.Size([1, 3, 3, 32, 32]), [1, 2])
        >>> batch.landmarks[:, 1] += torch.tensor([0.0, 1.0])  # detected 1 px lower in the first source
        >>> EpipolarConsistency()(pair_views(views, batch)).round(decimals=1)  # 1 px is 7 of a 224 px image
        tensor([7., 0.])
    """
    model, count = load_face_model(), len(yaws)
    faces = model.mean_coefficients(batch_size=count).map(lambda group: group[None])
    faces.pose[..., 1] = torch.tensor(yaws)
    K = intrinsics(image_size).expand(1, count, 3, 3)
    views = render_views(faces, model, FaceRenderer(), K, image_size)
    images, skin = views.rendered.image[None], views.rendered.mask[None]
    return views, FaceTriplet(images, views.landmarks.clone(), skin, link=torch.tensor([2]), K=K)
