"""Several photographs of one person: one identity, refined from the network's start by the training losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import CoefficientGroup, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.fitting.objective_fit import fit
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.photographs.conventions import jaw_trust
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.photographs.head_pose import yaw_degrees
from mgc_lightning.photographs.photos import ImageLike, as_image
from mgc_lightning.photographs.skin import SkinColours
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor, Reconstruction
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceTriplet

WEIGHTS = LossWeights(
    photometric=1.9,
    landmark=5e-3,
    identity=0.0,
    prior_identity=5e-4,
    prior_expression=8e-4,
    prior_albedo=1e-3,
    pixel=3.0,
    depth=1e-2,
    epipolar=2e-2,
)
"""Weights of the refinement: those that fit synthetic faces best (benchmarks/loss_limit.py), with a firmer identity."""
SHARED: tuple[CoefficientGroup, ...] = ("identity", "albedo")


def refine_same_person(
    reconstructor: FaceReconstructor,
    images: Sequence[ImageLike],
    landmarks: Sequence[Float[Tensor, "68 2"]],
    *,
    one_moment: bool = False,
    sliding_jaw: bool = False,
    steps: int = 150,
    learning_rate: float = 0.05,
    weights: LossWeights = WEIGHTS,
    on_step: Callable[[int, int], None] | None = None,
) -> list[Reconstruction]:
    """Reconstruct one person from several photographs: the multi-view method at inference.

    The network's predictions are the start. Then identity and albedo, one for all photographs, and each photograph's
    own expression, pose and light follow the landmark and photometric losses and the priors. Photographs of one
    moment and one light also follow pixel, depth and epipolar consistency, between the photograph that looks most to
    the middle of all and each of the others.

    Args:
        reconstructor: any checkpoint or export; refines on its device.
        images: N >= 2 photographs.
        landmarks: (68, 2) px of each.
        one_moment: of one moment and one light.
        sliding_jaw: the landmarks' jaw is the outline that is seen (`ibug-2d`): it counts less in turned heads.
        steps: of Adam.
        learning_rate: in units of `fitting.StepScales`.
        weights: of the losses; those of view pairs count with `one_moment` alone.
        on_step: called with the steps that are done and their number.

    Returns:
        a reconstruction of each photograph, in their order; identity and albedo are equal in all.

    Raises:
        MGCError: for fewer than two photographs, or one without its 68 landmarks.
    """
    pictures = [as_image(image) for image in images]
    if len(pictures) < 2 or len(pictures) != len(landmarks):
        raise MGCError(f"Expected several photographs with their landmarks, got {len(pictures)} and {len(landmarks)}")
    points = [torch.as_tensor(p).float() for p in landmarks]
    bad = next((i for i, p in enumerate(points) if p.shape != (68, 2)), None)
    if bad is not None:
        raise MGCError(
            f"Refining needs all 68 landmarks of each photograph; number {bad + 1} has {tuple(points[bad].shape)}"
        )
    matrices = torch.stack([reconstructor.align(image, p) for image, p in zip(pictures, points, strict=True)])
    crops = reconstructor.crop(pictures, matrices)
    start = reconstructor.predict(crops)
    order = _middle_first(start)
    batch = _batch(reconstructor, crops, transform_points2d(matrices, torch.stack(points)), order, one_moment)
    if sliding_jaw:
        yaw = yaw_degrees(pose_to_transform(start.pose))[order]
        batch.landmark_weights = torch.stack([jaw_trust(float(angle)) for angle in yaw])[None].to(reconstructor.device)
    found = fit(
        reconstructor.face_model,
        FaceRenderer(),
        MGCObjective(weights).to(reconstructor.device),
        batch,
        init=start.map(lambda group: group[order][None]),
        share=SHARED,
        steps=steps,
        learning_rate=learning_rate,
        on_step=None if on_step is None else lambda step, _: on_step(step + 1, steps),
    )
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    refined: FaceCoefficients = found.coefficients.map(lambda group: group[0][place].detach())
    return reconstructor.assemble(pictures, crops, matrices, refined)


def _middle_first(start: FaceCoefficients) -> Tensor:
    """Order photographs with the median yaw first: it overlaps most with the others, as targets of triplets do."""
    turned = start.pose[:, 1].argsort()
    middle = turned[len(turned) // 2]
    others = [i for i in range(len(turned)) if i != int(middle)]
    return torch.tensor([int(middle), *others], device=start.pose.device)


def _batch(
    reconstructor: FaceReconstructor,
    crops: Float[Tensor, "N 3 S S"],
    landmarks: Float[Tensor, "N 68 2"],
    order: Tensor,
    one_moment: bool,
) -> FaceTriplet:
    segmenter, device = SkinColours(), reconstructor.device
    skin = [segmenter.segment(crop, points) for crop, points in zip(crops.cpu(), landmarks, strict=True)]
    K = intrinsics(reconstructor.image_size, reconstructor.predictor.focal, device=device)
    return FaceTriplet(
        images=crops[order][None],
        landmarks=landmarks.to(device)[order][None],
        skin=torch.stack(skin).to(device)[order][None],
        link=torch.tensor([2 if one_moment else 0], device=device),
        K=K.expand(1, len(crops), 3, 3),
        sample_id=["same person"],
        person=torch.zeros(1, len(crops), dtype=torch.int64, device=device),
    )
