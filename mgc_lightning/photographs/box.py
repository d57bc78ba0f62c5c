"""Crops from a bounding box alone: the box of the face is laid on the box of the mean face."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points


def mean_face_box(face_model: FaceModel, image_size: int) -> Float[Tensor, " 4"]:
    """Give the box x0, y0, x1, y1 of the mean face in px of an aligned crop.

    It bounds the face from the hairline to the chin, without ears, as face detectors draw it, in the main
    pose.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> [round(value) for value in mean_face_box(load_face_model(), image_size=224).tolist()]
        [48, 29, 175, 200]
    """
    verts = face_model.mean[face_model.face_mask]
    points_cam = transform_points(pose_to_transform(face_model.main_pose), verts)
    points = project(points_cam, intrinsics(image_size, device=verts.device))
    return torch.cat([points.amin(0), points.amax(0)])


def similarity_from_box(box: Float[Tensor, " 4"], target: Float[Tensor, " 4"]) -> Float[Tensor, "2 3"]:
    """Find the upright similarity that lays one box on another: centre on centre, mean of the sides' scales.

    Args:
        box: x0, y0, x1, y1 in px of the photograph.
        target: the same in px of the crop, e.g. `mean_face_box`.

    Returns:
        (2, 3) matrix M, `crop = M [u, v, 1]`.

    Raises:
        MGCError: if the box is empty or not finite.

    Example:
        >>> M = similarity_from_box(torch.tensor([100.0, 50.0, 200.0, 150.0]), torch.tensor([10.0, 10.0, 60.0, 60.0]))
        >>> M.tolist()  # half the scale; (150, 100) goes to (35, 35)
        [[0.5, 0.0, -40.0], [0.0, 0.5, -15.0]]
    """
    box, target = torch.as_tensor(box, dtype=torch.float32), torch.as_tensor(target, dtype=torch.float32)
    size = box[2:] - box[:2]
    if box.shape != (4,) or not bool(box.isfinite().all()) or not bool((size > 0).all()):
        raise MGCError(f"Expected a box x0 y0 x1 y1 with x0 < x1 and y0 < y1, got {box.tolist()}")
    return similarity_from_boxes(box, target)


def similarity_from_boxes(boxes: Float[Tensor, "*batch 4"], target: Float[Tensor, " 4"]) -> Float[Tensor, "*batch 2 3"]:
    """Lay many boxes on one, as `similarity_from_box` does; they are not checked.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [5.0, 5.0, 25.0, 25.0]])
        >>> similarity_from_boxes(boxes, torch.tensor([0.0, 0.0, 10.0, 10.0]))[1].tolist()
        [[0.5, 0.0, -2.5], [0.0, 0.5, -2.5]]
    """
    size, wanted = boxes[..., 2:] - boxes[..., :2], target[2:] - target[:2]
    # The geometric mean of both ratios: too wide a box hurts as much as one too narrow.
    scale = (wanted / size).log().mean(-1).exp()[..., None]
    shift = (target[:2] + target[2:]) / 2 - scale * (boxes[..., :2] + boxes[..., 2:]) / 2
    return torch.cat([scale[..., None] * torch.eye(2, device=shift.device), shift[..., None]], dim=-1)
