"""Smoothing over time: Gaussian windows over the frames in which a face was found."""

from __future__ import annotations

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.pose import pose_to_transform, rigid, transform_to_pose

REACH = 3.0
"""Windows end at this many standard deviations; farther from any face a frame has none."""


def smooth(values: Float[NDArray, "T ..."], found: Bool[NDArray, " T"], sigma: float) -> Float[NDArray, "T ..."]:
    """Average values over time by a Gaussian window that counts only the frames that have one.

    The window looks both ways, so nothing lags. Frames without a value get one from their neighbours.

    Args:
        values: (T, ...); those that were not found are not read.
        found: (T,).
        sigma: standard deviation in frames.

    Returns:
        (T, ...); NaN beyond the reach of any value.
    """
    weight = found.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float64)
    total = _window(np.where(weight > 0, values, 0.0), sigma)
    share = _window(weight, sigma)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 1e-9, total / share, np.nan)


def _window(values: Float[NDArray, "T ..."], sigma: float) -> Float[NDArray, "T ..."]:
    return gaussian_filter1d(values.astype(np.float64), sigma, axis=0, mode="constant", truncate=REACH)


def smooth_coefficients(
    coefficients: FaceCoefficients, found: Bool[NDArray, " T"], sigma: float
) -> tuple[FaceCoefficients, Bool[NDArray, " T"]]:
    """Smooth the coefficients of a video of one person.

    Identity and albedo become their medians over the video. Expression, light and translation are averaged over
    time; so are rotations, as matrices that are brought back to the nearest rotation (the chordal mean).

    Args:
        coefficients: (T, ...) of the frames.
        found: (T,) frames that have a face.
        sigma: standard deviation of the window in frames.

    Returns:
        the coefficients, and the frames that have any now.
    """
    T_cam_model = pose_to_transform(coefficients.pose.double()).numpy()
    R, t = smooth(T_cam_model[:, :3, :3], found, sigma), smooth(T_cam_model[:, :3, 3], found, sigma)
    known = np.isfinite(t).all(1)
    pose = torch.zeros(len(found), 6)
    if known.any():
        nearest = roma.special_procrustes(torch.from_numpy(R[known]))
        pose[torch.from_numpy(known)] = transform_to_pose(rigid(nearest, torch.from_numpy(t[known]))).float()

    def over_time(group: Tensor) -> Tensor:
        return torch.from_numpy(np.nan_to_num(smooth(group.numpy(), found, sigma))).float()

    def of_the_person(group: Tensor) -> Tensor:
        return group[torch.from_numpy(found)].median(0).values.expand_as(group).clone()

    smoothed = FaceCoefficients(
        identity=of_the_person(coefficients.identity),
        albedo=of_the_person(coefficients.albedo),
        expression=over_time(coefficients.expression),
        pose=pose,
        light=over_time(coefficients.light),
    )
    return smoothed, known
