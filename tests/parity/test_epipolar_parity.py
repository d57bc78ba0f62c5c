"""Relative poses and epipolar distances, official and right (recorded file 05)."""

import numpy as np
import pytest
import torch

from benchmarks.official.epipolar import epipolar_lines, official_epipolar_distance, official_fundamental
from mgc_lightning.geometry.epipolar import epipolar_distance, fundamental_from_poses
from mgc_lightning.geometry.pose import pose_to_transform, relative_transform, transform_to_pose


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "mgcnet" / "05_relpose_epipolar.npz") as file:
        arrays = {key: torch.from_numpy(file[key]).double() for key in file.files if file[key].dtype == "f4"}
    with np.load(golden / "mgcnet" / "04_warp.npz") as file:
        arrays["depth_tar"] = torch.from_numpy(file["depth_tar"]).double()[:, None]
    arrays["K"] = arrays["K"].expand(6, 3, 3)
    return arrays


@pytest.fixture(scope="module")
def poses(recorded):
    return pose_to_transform(recorded["pose_tar"]), pose_to_transform(recorded["pose_src"])


def relative_error(found, expected):
    difference = (found - expected).flatten(1).norm(dim=1)
    return (difference / expected.flatten(1).norm(dim=1)).max()


def test_relative_pose(recorded, poses):
    T = relative_transform(*poses)
    assert (T - recorded["rel_mat"]).abs().max() < 1e-3
    assert (transform_to_pose(T) - recorded["rel_pose_vec"]).abs().max() < 1e-3


def test_official_fundamental(recorded, poses):
    F = official_fundamental(relative_transform(*poses), recorded["K"])
    assert relative_error(F, recorded["F"]) < 1e-4


@pytest.mark.parametrize("landmarks", ["", "_clean"])
def test_official_distances(recorded, poses, landmarks):
    F = official_fundamental(relative_transform(*poses), recorded["K"])
    target, source = recorded[f"lm_tar{landmarks}"], recorded[f"lm_src{landmarks}"]
    distance = official_epipolar_distance(target, source, F)
    torch.testing.assert_close(distance.mean(1), recorded[f"epi_loss{landmarks}"], rtol=1e-3, atol=0)
    if not landmarks:
        torch.testing.assert_close(distance, recorded["epi_dist"][..., 0, 0], rtol=1e-3, atol=0)
        assert relative_error(epipolar_lines(target, F), recorded["epi_lines"][..., 0]) < 1e-4


def test_gradients_of_the_relative_pose(recorded):
    pose = recorded["rel_pose_vec"].clone().requires_grad_()
    T = pose_to_transform(pose)
    points = recorded["lm_tar"], recorded["lm_src"]
    epipolar = official_epipolar_distance(*points, official_fundamental(T, recorded["K"])).mean(1).sum()
    (gradient,) = torch.autograd.grad(epipolar, pose)
    assert relative_error(gradient, recorded["depi_drelpose"]) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_right_distance_of_clean_landmarks_is_below_a_pixel(recorded, poses, dtype):
    """The official matrix puts noise-free landmarks 13 to 447 px from their lines."""
    target, source = (T.to(dtype) for T in poses)
    K = recorded["K"].to(dtype)
    F = fundamental_from_poses(target, source, K, K)
    points = recorded["lm_tar_clean"].to(dtype), recorded["lm_src_clean"].to(dtype)
    assert (epipolar_distance(*points, F).mean(1) < 1).all()
    assert (recorded["epi_loss_clean"] > 12).all()
