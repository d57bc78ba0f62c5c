"""NoW errors on the predicted mesh, for pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.metrics.now.evaluate import PredictionError
from mgc_lightning.metrics.now.scan import NoWScan
from mgc_lightning.pictures.drawing import Picture, overlay
from mgc_lightning.pictures.figures import draw_face
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

NEIGHBOURS = 8
TURN_DEGREES = 25.0


def vertex_errors(scan: NoWScan, error: PredictionError, verts: Float[NDArray, "N 3"]) -> Float[NDArray, " N"]:
    """Give each predicted vertex the mean error of the scan points nearest to it, NaN outside the scored region.

    Args:
        scan: what the prediction was scored against.
        error: its error.
        verts: (N, 3) the prediction, its own unit and frame.
    """
    moved = error.to_scan(verts)
    _, index = cKDTree(scan.points).query(moved, k=NEIGHBOURS)
    inside = np.linalg.norm(moved - scan.centre, axis=1) <= scan.radius
    return np.where(inside, error.distances[index].mean(axis=1), np.nan)


def draw_error_map(
    verts: Float[Tensor, "N 3"],
    colors: Float[Tensor, "N 3"],
    face_model: FaceModel,
    renderer: FaceRenderer,
    size: int = 256,
) -> Picture:
    """Draw a neutral mesh painted with its errors, a little from the side.

    Args:
        verts: (N, 3) mm, model frame.
        colors: (N, 3) of its errors, in [0, 1].
        face_model: has the triangles and the pose.
        renderer: that draws.
        size: side of the picture in px.
    """
    verts, colors = verts.float(), colors.to(verts)
    mesh = FaceMesh(verts[None], face_model.faces, vertex_normals(verts, face_model.faces)[None], colors[None])
    turn = face_model.main_pose.new_zeros(1, 6)
    turn[:, 1] = math.radians(TURN_DEGREES)
    T_cam_model = pose_to_transform(face_model.main_pose[None])
    T_cam_model[:, :3, :3] = T_cam_model[:, :3, :3] @ pose_to_transform(turn)[:, :3, :3]
    K = intrinsics(size, device=verts.device)
    figure = draw_face(renderer, mesh, T_cam_model, K, size, "painted", colors=mesh.albedo)
    return overlay(torch.full_like(figure.image[0], 0.1), figure.image[0], figure.alpha[0])
