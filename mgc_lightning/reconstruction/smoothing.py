"""Smoothing over time: local parabolas in Gaussian windows over the frames in which a face was found.

The filter is a low-pass without lag. `seconds` is the period of its cut-off: a movement that takes `seconds` to and fro
is halved, one of twice that keeps 93 %, one of half that 1 %. A parabola, and not a mean, is laid through the window,
so that what moves evenly or speeds up stays where it is.
"""

from __future__ import annotations

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.camera import FACE_SIZE, project
from mgc_lightning.geometry.pose import pose_to_transform, rigid, transform_to_pose
from mgc_lightning.photographs.crop import invert_similarity
from mgc_lightning.reconstruction.face import camera_of_image

SIGMA = 0.2916
"""Standard deviation of the window over the period of the cut-off: where (1 + x) exp(-x), x = (w sigma)^2 / 2, is a
half. That is the response of local parabolas at the angular frequency w (Fan and Gijbels, Local Polynomial Modelling,
1996, sec. 3.2: their equivalent kernel)."""
REACH = 4.0
"""Windows end at this many standard deviations; farther from any face a frame has none."""
FOLLOW = 0.04
"""Face sizes by which a smoothed face may be beside where its own frame shows it."""


def smooth(
    values: Float[NDArray, "T ..."], found: Bool[NDArray, " T"], times: Float[NDArray, " T"], seconds: float
) -> Float[NDArray, "T ..."]:
    """Take out of values what moves faster than `seconds` to and fro, without lag, by the frames that have one.

    Frames without a value get one from their neighbours: on a line between those of both sides, or their mean at an
    end.

    Args:
        values: (T, ...); those that were not found are not read.
        found: (T,).
        times: (T,) s, rising; they need not be even.
        seconds: period of the cut-off.

    Returns:
        (T, ...); NaN beyond the reach of any value.

    Example:
        >>> times = np.arange(100) / 25
        >>> wave = np.sin(2 * np.pi * times / 0.5)
        >>> [round(float(np.ptp(smooth(wave, wave < 2, times, s)[40:60]) / 2), 2) for s in (1.0, 0.5, 0.25)]
        [0.01, 0.5, 0.93]
    """
    sigma = SIGMA * seconds
    rows = np.flatnonzero(found)
    result = np.full(values.shape, np.nan)
    for frame, time in enumerate(times):
        low, high = np.searchsorted(times[rows], [time - REACH * sigma, time + REACH * sigma])
        near = rows[low:high]
        if len(near):
            weights = _weights((times[near] - time) / sigma, bool(found[frame]))
            result[frame] = np.tensordot(weights, values[near].astype(np.float64), axes=1)
    return result


def _weights(away: Float[NDArray, " W"], known: bool) -> Float[NDArray, " W"]:
    """Give the weights of values at `away` standard deviations: the constant term of the fitted polynomial."""
    between = bool((away < 0).any() and (away > 0).any())
    degree = min(len(away) - 1, 2 if known else 1 if between else 0)
    gauss = np.exp(-0.5 * away**2)
    powers = away[:, None] ** np.arange(degree + 1)
    weighted = powers * gauss[:, None]
    return np.linalg.solve(powers.T @ weighted, weighted.T)[0]


def smooth_coefficients(
    coefficients: FaceCoefficients,
    matrices: Float[Tensor, "T 2 3"],
    found: Bool[NDArray, " T"],
    times: Float[NDArray, " T"],
    seconds: float,
    K_crop: Float[Tensor, "3 3"],
) -> tuple[FaceCoefficients, Float[Tensor, "T 2 3"], Bool[NDArray, " T"]]:
    """Smooth the faces of a video of one person.

    Identity and albedo become their medians over the video. Expression and light are smoothed; so is the pose, where
    the whole frame's camera sees the head, whatever the crops were: its rotation (as matrices, brought back to the
    nearest rotation), its place in px, and its px per mm. The place stays within a few hundredths of the face's size
    of the frame's own.

    Args:
        coefficients: (T, ...) of the frames, in the cameras of their crops.
        matrices: (T, 2, 3) similarities from frames to crops; those that were not found are not read.
        found: (T,) frames that have a face.
        times: (T,) s, rising.
        seconds: period of the cut-off; see `smooth`.
        K_crop: (3, 3) intrinsics of the crops.

    Returns:
        the coefficients; the crops: those given, and new ones where a face was filled in; the frames that have any.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry import intrinsics
        >>> faces, times = load_face_model().mean_coefficients(batch_size=25), np.arange(25) / 25  # a second
        >>> faces.expression[12, 0] = 0.9  # one frame twitches
        >>> crops, found = torch.eye(2, 3).repeat(25, 1, 1), np.ones(25, bool)
        >>> smoothed, _, known = smooth_coefficients(faces, crops, found, times, 0.5, intrinsics(224))
        >>> bool(smoothed.expression[12, 0] < 0.3), bool(known.all())
        (True, True)
    """
    rows = torch.from_numpy(found)
    pose = np.full((len(found), 4, 4), np.nan)
    pose[found] = pose_to_transform(coefficients.pose[rows].double()).numpy()

    def over_time(values: Tensor | NDArray) -> NDArray:
        return smooth(np.asarray(values), found, times, seconds)

    shape = np.zeros((len(found), 2, 3))
    shape[found] = matrices[rows].double().numpy()
    filled = over_time(shape)
    known = np.isfinite(filled).all((1, 2))
    crops = torch.from_numpy(np.where(found[:, None, None], shape, np.nan_to_num(filled)))
    poses = torch.zeros(len(found), 6)
    if known.any():
        poses[torch.from_numpy(known)] = _smooth_poses(pose, crops, found, times, seconds, K_crop.double())[known]

    def filtered(group: Tensor) -> Tensor:
        return torch.from_numpy(np.nan_to_num(over_time(group.numpy()))).float()

    def of_the_person(group: Tensor) -> Tensor:
        return group[rows].median(0).values.expand_as(group).clone()

    smoothed = FaceCoefficients(
        identity=of_the_person(coefficients.identity),
        albedo=of_the_person(coefficients.albedo),
        expression=filtered(coefficients.expression),
        pose=poses,
        light=filtered(coefficients.light),
    )
    return smoothed, crops.float(), known


def _smooth_poses(
    pose: Float[NDArray, "T 4 4"],
    crops: Float[Tensor, "T 2 3"],
    found: Bool[NDArray, " T"],
    times: Float[NDArray, " T"],
    seconds: float,
    K_crop: Float[Tensor, "3 3"],
) -> Float[Tensor, "T 6"]:
    """Smooth poses in the cameras of whole frames, and give them in those of the crops."""
    usable = torch.from_numpy(np.isfinite(pose).all((1, 2)))
    T_crop = torch.from_numpy(np.nan_to_num(pose))
    T_crop[~usable] = torch.eye(4, dtype=T_crop.dtype)
    singular = crops[:, :, :2].abs().sum((1, 2)) == 0
    crops = crops.clone()
    crops[singular] = torch.eye(2, 3, dtype=crops.dtype)
    K, T = camera_of_image(invert_similarity(crops), K_crop, T_crop)
    origin = T[:, :3, 3]
    place = project(torch.where(usable[:, None], origin, torch.ones_like(origin))[:, None], K)[:, 0].numpy()
    px_per_mm = (K[:, 0, 0] / origin[:, 2].clamp(min=1e-6)).log().numpy()
    smoothed = torch.from_numpy(np.nan_to_num(smooth(place, found, times, seconds)))
    size = torch.from_numpy(np.nan_to_num(smooth(px_per_mm, found, times, seconds)))
    beside = smoothed - torch.from_numpy(place)
    most = FOLLOW * FACE_SIZE * size.exp()[:, None]
    held = torch.from_numpy(place) + beside * (most / beside.norm(dim=1, keepdim=True).clamp(min=1e-9)).clamp(max=1)
    smoothed = torch.where(torch.from_numpy(found)[:, None], held, smoothed)
    R = smooth(T[:, :3, :3].numpy(), found, times, seconds)
    R = roma.special_procrustes(torch.from_numpy(np.where(np.isfinite(R), R, np.eye(3))))
    z = K[:, 0, 0] / size.exp()
    xy = (smoothed - K[:, :2, 2]) * (z / K[:, 0, 0])[:, None]
    _, turn = camera_of_image(invert_similarity(crops), K_crop, torch.eye(4, dtype=K.dtype).expand(len(K), 4, 4))
    return transform_to_pose(turn.mT @ rigid(R, torch.cat([xy, z[:, None]], dim=1))).float()
