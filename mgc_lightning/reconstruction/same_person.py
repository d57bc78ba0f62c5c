"""Several photographs of one person: one identity, by all their landmarks; of one moment, by the multi-view losses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import CoefficientGroup, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.objective_fit import fit
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.photographs.photos import ImageLike
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import Evidence
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceTriplet

WEIGHTS = LossWeights(
    photometric=0.0,
    landmark=5e-3,
    identity=0.0,
    prior_identity=3e-3,
    prior_expression=8e-4,
    prior_albedo=0.0,
    pixel=3.0,
    depth=1e-2,
    epipolar=2e-2,
)
"""Weights of the comparison of views of one moment: geometry alone. The face model's colours are not the photographs',
and shapes bend to make up for them: on a real head the photometric loss takes the error from 1.26 to 1.51 mm in
different light, and from 1.01 to 1.06 mm at one moment (NoW median; `mgc benchmark scan`)."""
FREE: tuple[CoefficientGroup, ...] = ("identity", "expression", "pose")
SHARED: tuple[CoefficientGroup, ...] = ("identity",)


def refine_same_person(
    reconstructor: FaceReconstructor,
    images: Sequence[ImageLike],
    landmarks: Sequence[Float[Tensor, "68 2"]],
    *,
    meshes: Sequence[Float[Tensor, "468 2"] | None] | None = None,
    one_moment: bool = False,
    sliding_jaw: bool = False,
    steps: int = 60,
    learning_rate: float = 0.05,
    weights: LossWeights = WEIGHTS,
    on_step: Callable[[int, int], None] | None = None,
) -> list[Reconstruction]:
    """Reconstruct one person from several photographs.

    The network's predictions are the start, and their mean identity the prior. One identity for all, and each
    photograph's own expression and pose, follow the landmarks as `refine` does. Photographs of one moment and one light
    then also follow pixel, depth and epipolar consistency, between the photograph that looks most to the middle of all
    and each of the others: the multi-view method at inference. Albedo, one for all, and light come last, from the
    colours.

    Args:
        reconstructor: any checkpoint or export; refines on its device.
        images: N >= 2 photographs.
        landmarks: (68, 2) px of each.
        meshes: (468, 2) px of each, of a detector that finds a mesh (`DetectedFace.mesh`); used if all have one.
        one_moment: of one moment and one light.
        sliding_jaw: the landmarks' jaw is the outline that is seen (`ibug-2d`): it counts less in turned heads.
        steps: of Adam, with `one_moment`.
        learning_rate: in units of `fitting.StepScales`.
        weights: of the losses, with `one_moment`.
        on_step: called with the steps that are done and their number.

    Returns:
        a reconstruction of each photograph, in their order; identity and albedo are equal in all.

    Raises:
        MGCError: for fewer than two photographs, or one without its 68 landmarks.

    Example:
        >>> from mgc_lightning import FaceReconstructor
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor, points = FaceReconstructor.from_pretrained(), torch.tensor(TEMPLATE_68)
        >>> photographs = [torch.rand(3, 224, 224), torch.rand(3, 224, 224)]
        >>> first, second = refine_same_person(reconstructor, photographs, [points, points], steps=2)
        >>> torch.equal(first.coefficients.identity, second.coefficients.identity)
        True
        >>> torch.equal(first.coefficients.expression, second.coefficients.expression)
        False
    """
    if len(images) < 2 or len(images) != len(landmarks):
        raise MGCError(f"Expected several photographs with their landmarks, got {len(images)} and {len(landmarks)}")
    faces = reconstructor.reconstruct_batch(images, landmarks)
    evidence = Evidence.of(reconstructor, faces, landmarks, meshes, same_person=True, sliding_jaw=sliding_jaw)
    found = evidence.by_landmarks(evidence.prediction)
    if one_moment:
        found = evidence.closely(_by_views(evidence, found, steps, learning_rate, weights, on_step))
    return evidence.assemble(evidence.by_colours(found))


def _by_views(
    evidence: Evidence,
    start: FaceCoefficients,
    steps: int,
    learning_rate: float,
    weights: LossWeights,
    on_step: Callable[[int, int], None] | None,
) -> FaceCoefficients:
    order, centre = _middle_first(start), start.identity[:, :1]
    found = fit(
        _about(evidence.reconstructor.face_model, centre[0, 0]),
        FaceRenderer(),
        MGCObjective(weights).to(evidence.reconstructor.device),
        _batch(evidence, order),
        init=replace(start, identity=start.identity - centre).map(lambda group: group[:, order]),
        free=FREE,
        share=SHARED,
        steps=steps,
        learning_rate=learning_rate,
        on_step=None if on_step is None else lambda step, _: on_step(step + 1, steps),
    )
    place = order.argsort()
    refined: FaceCoefficients = found.coefficients.map(lambda group: group[:, place].detach())
    return replace(refined, identity=refined.identity + centre)


def _about(face_model: FaceModel, identity: Float[Tensor, " I"]) -> FaceModel:
    """Give the face model with a face for its mean: the objective's prior of identity is about that face.

    What landmarks and meshes say is the start, and a prior about the artist's mean face would take it back. On a real
    head it comes to the same (.97 instead of .96 mm by a detector's points, .98 instead of 1.00 by exact ones: NoW
    median of five photographs of one moment, of which those at .4 m want a nearer camera).
    """
    moved = copy.deepcopy(face_model)
    moved.mean += torch.einsum("i,ipk->pk", identity.to(moved.mean), moved.identity_basis)
    return moved


def _middle_first(start: FaceCoefficients) -> Tensor:
    """Order photographs with the median yaw first: it overlaps most with the others, as targets of triplets do."""
    turned = start.pose[0, :, 1].argsort()
    middle = turned[len(turned) // 2]
    others = [i for i in range(len(turned)) if i != int(middle)]
    return torch.tensor([int(middle), *others], device=start.pose.device)


def _batch(evidence: Evidence, order: Tensor) -> FaceTriplet:
    device = evidence.crops.device
    return FaceTriplet(
        images=evidence.crops[:, order],
        landmarks=evidence.landmarks[:, order],
        skin=evidence.skin[:, order],
        link=torch.tensor([2], device=device),
        K=evidence.K,
        sample_id=["same person"],
        person=torch.zeros(evidence.crops.shape[:2], dtype=torch.int64, device=device),
        landmark_weights=None if evidence.trust is None else evidence.trust[:, order],
    )
