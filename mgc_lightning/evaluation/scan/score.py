"""Scores of predicted faces against a head: NoW's distances, rotation, landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.evaluation.scan.faces import PredictedFace
from mgc_lightning.evaluation.scan.heads import ScanHead
from mgc_lightning.evaluation.scan.photo_set import TakenPhotograph
from mgc_lightning.fitting.scan_fit import ScanFit
from mgc_lightning.geometry.pose import rotation_error
from mgc_lightning.metrics.now.aggregate import PooledError, pool
from mgc_lightning.metrics.now.evaluate import PredictionError, now_error
from mgc_lightning.photographs.conventions import INNER


@dataclass(frozen=True)
class ScanScore:
    """Hold the scores of one mesh.

    Attributes:
        head: whose.
        column: how the crop was cut; empty for the mean face and the limit.
        method: `alone`, `one moment`, `different light`, `mean face`, `limit`, or another method's name.
        photographs: names of those that the mesh comes from.
        error: NoW's distances (mm), pooled.
        distances: (M,) mm.
        rotation: degrees between the face's true and predicted turn as the camera sees it; mean over the photographs.
        nme: of the 51 inner points, percent of the square root of the area of the box of all 68; mean likewise.
        distance: mm from the camera, where it is one for all photographs.
        yaw: degrees, of a single photograph.
        light: where it is one for all.
        background: of a single photograph.
    """

    head: str
    column: str
    method: str
    photographs: tuple[str, ...]
    error: PooledError
    distances: Float[NDArray, " M"]
    rotation: float | None = None
    nme: float | None = None
    distance: float | None = None
    yaw: float | None = None
    light: str | None = None
    background: str | None = None


def score_mesh(head: ScanHead, face: PredictedFace) -> PredictionError:
    """Measure a neutral mesh by NoW's protocol."""
    return now_error(head.scan, face.verts.double().numpy(), face.faces.numpy(), face.landmarks7.double().numpy())


def score_faces(
    head: ScanHead,
    fit: ScanFit,
    centre: Float[Tensor, " 3"],
    column: str,
    method: str,
    photographs: Sequence[TakenPhotograph],
    faces: Sequence[PredictedFace],
) -> ScanScore:
    """Score one mesh, and its place in each of its photographs.

    Args:
        head: whose.
        fit: the face model on the scan: what a true pose of the model is.
        centre: (3,) middle of the face, model frame.
        column: how the crops were cut.
        method: how the mesh came about.
        photographs: that it comes from.
        faces: one for each; they share the mesh.
    """
    distances = score_mesh(head, faces[0]).distances
    pairs = list(zip(photographs, faces, strict=True))
    turns = [rotation(p, f.T_cam_model, fit, centre) for p, f in pairs if f.T_cam_model is not None]
    errors = [inner_nme(f.landmarks, p.points) for p, f in pairs if f.landmarks is not None and len(p.points) == 68]
    plans = [photograph.plan for photograph in photographs]
    single = plans[0] if len(plans) == 1 else None
    one_moment = plans[0] if len({plan.moment for plan in plans}) == 1 else None
    return ScanScore(
        head=head.name,
        column=column,
        method=method,
        photographs=tuple(photograph.plan.name for photograph in photographs),
        error=pool(distances),
        distances=distances,
        rotation=fmean(turns) if turns else None,
        nme=fmean(errors) if errors else None,
        distance=one_moment.distance if one_moment else None,
        yaw=single.yaw if single else None,
        light=one_moment.light.kind if one_moment else None,
        background=single.background if single else None,
    )


def inner_nme(predicted: Float[Tensor, "68 2"], true: Float[Tensor, "68 2"]) -> float:
    """Average the distances of the 51 inner points; percent of the square root of the area of the box of all 68.

    Example:
        >>> true = torch.zeros(68, 2)
        >>> true[16], true[8] = torch.tensor([100.0, 0.0]), torch.tensor([50.0, 100.0])  # a face 100 px wide and high
        >>> inner_nme(true + torch.tensor([3.0, 4.0]), true)  # all points 5 px off
        5.0
    """
    size = (true.amax(0) - true.amin(0)).prod().sqrt()
    return float(100 * (predicted[INNER] - true[INNER]).norm(dim=-1).mean() / size)


def rotation(
    photograph: TakenPhotograph, T_cam_model: Float[Tensor, "4 4"], fit: ScanFit, centre: Float[Tensor, " 3"]
) -> float:
    """Compare the predicted turn with the true one, as seen along the ray to the face: degrees.

    A network that sees a crop takes the camera to look at the crop's middle; a face beside the middle of the
    photograph is seen from its side, which is not its error.
    """
    R, t = photograph.T_cam_scan[:3, :3], photograph.T_cam_scan[:3, 3]
    true = torch.eye(4, dtype=torch.float64)
    true[:3, :3] = torch.from_numpy(R @ fit.R)
    # Along the ray only: the model's size does not matter.
    true[:3, 3] = torch.from_numpy(R @ fit.t + t)
    middle = centre.double()
    seen_truly = seen_rotation(true, fit.s * middle)
    return float(rotation_error(seen_rotation(T_cam_model.double(), middle), seen_truly))


def seen_rotation(T_cam_model: Float[Tensor, "4 4"], centre: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """Give the rotation (3, 3) relative to a camera that looks at `centre` (3,), model frame, by the shortest turn.

    Example:
        >>> T = torch.eye(4)
        >>> centre = torch.tensor([0.0, 0.0, 500.0])
        >>> T[0, 3] = 500.0  # a face that looks ahead, 45 degrees off the axis, is seen from the side
        >>> turn = seen_rotation(T, centre)
        >>> (turn @ torch.tensor([0.0, 0.0, 1.0])).round(decimals=2)
        tensor([-0.7100,  0.0000,  0.7100])
    """
    R = T_cam_model[:3, :3]
    ray = torch.nn.functional.normalize(R @ centre + T_cam_model[:3, 3], dim=0)
    axis = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0], dtype=ray.dtype), ray)
    x, y, z = axis.tolist()
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=ray.dtype)
    turn = torch.eye(3, dtype=ray.dtype) + skew + skew @ skew / (1 + ray[2])
    return turn.T @ R


def middle_of_face(points: Float[Tensor, "7 3"]) -> Float[Tensor, " 3"]:
    """Give the middle of NoW's seven points."""
    return points.mean(0)


def mean_median(scores: Sequence[ScanScore]) -> float | None:
    """Pool the distances of each head, as NoW does, and average the heads' medians; None without scores.

    Example:
        >>> def score(head, *distances):
        ...     return ScanScore(head, "detector", "alone", (), pool(np.array(distances)), np.array(distances))
        >>> mean_median([score("anna", 1.0, 1.0), score("anna", 1.0, 5.0), score("ben", 3.0)])
        2.0
    """
    heads = dict.fromkeys(score.head for score in scores)
    medians = [pool([score.distances for score in scores if score.head == head]).median for head in heads]
    return fmean(medians) if medians else None


def mean_of(scores: Sequence[ScanScore], value: str) -> float | None:
    """Average a value over the photographs of each head, then over the heads; None where nobody knows it.

    Example:
        >>> def score(head, rotation):
        ...     return ScanScore(head, "detector", "alone", (), pool(np.ones(1)), np.ones(1), rotation=rotation)
        >>> mean_of([score("anna", 4.0), score("anna", 6.0), score("ben", 2.0)], "rotation")  # degrees
        3.5
    """
    by_head: dict[str, list[float]] = {}
    for score in scores:
        number = getattr(score, value)
        if number is not None:
            by_head.setdefault(score.head, []).append(number)
    return float(np.mean([np.mean(numbers) for numbers in by_head.values()])) if by_head else None
