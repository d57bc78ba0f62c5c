"""A face as a head that animators can move: its expression directions as morph targets, its video as an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.rigged import Motion, write_rigged_glb
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.reconstruction.face import PlacedFace

RIG = "face_rig.glb"
_UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""From the camera's frame (y down, z forward) to glTF's (y up, z toward the viewer)."""


def write_rig(face: PlacedFace, folder: str | Path, face_model: FaceModel) -> Path:
    """Write `face_rig.glb`: the whole head without expression, and each direction of expression as a morph target.

    The targets have the face model's names (ARKit's 52 of the embedded head); their weights are the photograph's
    expression, so that it looks as `head.glb` does until somebody moves it. Colours are the albedo's.

    Args:
        face: the reconstruction.
        folder: to write to.
        face_model: that of the reconstruction.
    """
    coefficients = face.coefficients.map(lambda group: group.detach().cpu().float())
    return _write(Path(folder) / RIG, coefficients, coefficients.expression, face_model)


def write_video_rig(
    coefficients: FaceCoefficients,
    matrices: Float[Tensor, "T 2 3"],
    known: Bool[NDArray, " T"],
    times: Float[NDArray, " T"],
    folder: str | Path,
    face_model: FaceModel,
) -> Path:
    """Write `face_rig.glb` of a video: the head of its median identity, animated by its expressions and turns.

    Frames without a face are crossed on a line. The head turns as it does before the camera, in its place.

    Args:
        coefficients: (T, ...) of the frames.
        matrices: (T, 2, 3) similarities from frames to crops: heads roll in the frame, not in the crop.
        known: (T,) frames that have coefficients.
        times: (T,) s.
        folder: to write to.
        face_model: that of the coefficients.
    """
    rows = torch.from_numpy(np.flatnonzero(known))
    found = coefficients.map(lambda group: group[rows].detach().cpu().float())
    middle = found.map(lambda group: group.median(0).values)
    turns = Rotation.from_matrix(_in_scene(found.pose, matrices[rows].cpu().float()))
    at, every = times[known], times[np.flatnonzero(known)[0] : np.flatnonzero(known)[-1] + 1]
    weights = np.stack([np.interp(every, at, column) for column in found.expression.T.double().numpy()], axis=1)
    rotations = Slerp(at, turns)(every) if len(at) > 1 else turns
    quaternions = rotations.as_quat()
    # A quaternion and its opposite are one turn; neighbours of opposite signs would be met the long way round.
    signs = np.cumprod(np.where(np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0, -1.0, 1.0))
    quaternions[1:] *= signs[:, None]
    motion = Motion(every, weights, quaternions)
    return _write(Path(folder) / RIG, middle, torch.zeros_like(middle.expression), face_model, motion)


def _in_scene(pose: Float[Tensor, "T 6"], matrices: Float[Tensor, "T 2 3"]) -> Float[NDArray, "T 3 3"]:
    """Give the turns of the head in the frame's camera, whose axes are glTF's."""
    roll = torch.eye(3).repeat(len(matrices), 1, 1)
    linear = matrices[:, :, :2]
    roll[:, :2, :2] = linear.mT / linear[..., 0].norm(dim=-1)[:, None, None]
    return _UPRIGHT @ (roll @ pose_to_transform(pose)[:, :3, :3]).double().numpy()


def _write(
    path: Path,
    coefficients: FaceCoefficients,
    weights: Float[Tensor, " E"],
    face_model: FaceModel,
    motion: Motion | None = None,
) -> Path:
    with torch.no_grad():
        verts = face_model.shape(coefficients.identity.to(face_model.mean)).cpu()
        albedo = face_model.texture(coefficients.albedo.to(face_model.mean)).cpu()
    faces = face_model.faces.cpu()
    return write_rigged_glb(
        path,
        verts.numpy(),
        faces.numpy(),
        vertex_normals(verts, faces).numpy(),
        albedo.double().numpy(),
        face_model.expression_basis.cpu().numpy(),
        face_model.expression_names,
        weights.numpy(),
        motion,
    )
