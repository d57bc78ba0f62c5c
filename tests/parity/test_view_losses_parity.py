"""The official losses of synthesised views (recorded files 07), alone and on the pairs of file 04."""

import numpy as np
import pytest
import torch

from benchmarks.official.losses import (
    align_depth,
    combine_mean,
    combine_valid,
    official_depth_loss,
    official_pixel_loss,
    official_skin,
    official_ssim_loss,
    split_flags,
)
from benchmarks.official.warp import official_warp
from mgc_lightning.geometry.pose import pose_to_transform


def load(path):
    with np.load(path) as file:
        return {key: torch.from_numpy(file[key]).double() for key in file.files}


@pytest.fixture(scope="module")
def pairs(golden):
    folder = golden / "mgcnet"
    recorded, warp, covisible = (
        load(folder / name) for name in ("07_view_losses.npz", "04_warp.npz", "06_covisible.npz")
    )
    K = warp["K"].expand(6, 3, 3)
    depth = warp["depth_tar"][:, None]
    warped = official_warp(depth, pose_to_transform(warp["rel_pose_vec"]), K)
    return {
        "recorded": recorded,
        "mask": warped.inside * covisible["covis_map"].permute(0, 3, 1, 2),
        "face": warp["face_mask_tar"].permute(0, 3, 1, 2),
        "target": warp["img_tar"].permute(0, 3, 1, 2) / 255,
        "synthesised": warped.sample(warp["img_src"].permute(0, 3, 1, 2) / 255),
        "depth": depth,
        "sampled": warped.sample(warp["depth_src"][:, None]),
    }


def test_synthesis_mask(pairs):
    assert (pairs["mask"][:, 0] - pairs["recorded"]["syn_mask"]).abs().max() < 1e-3


def test_pixel(pairs):
    mask = pairs["mask"]
    found = official_pixel_loss(pairs["synthesised"] * mask, pairs["target"], mask, pairs["face"])
    torch.testing.assert_close(found, pairs["recorded"]["pixel_loss_persample"], rtol=1e-3, atol=0)


def test_ssim(pairs):
    found = official_ssim_loss(pairs["synthesised"], pairs["target"], pairs["mask"])
    torch.testing.assert_close(found, pairs["recorded"]["ssim_loss_persample"], rtol=1e-3, atol=0)


def test_depth(pairs):
    aligned = align_depth(pairs["depth"], pairs["sampled"], pairs["mask"])
    difference = (aligned[0, 0] - pairs["recorded"]["depth_aligned_0"]).abs()
    assert difference.median() < 5e-3
    found = official_depth_loss(pairs["depth"], pairs["sampled"], pairs["mask"])
    torch.testing.assert_close(found, pairs["recorded"]["depth_loss_persample"], rtol=1e-3, atol=0)


@pytest.fixture(scope="module")
def tensors(golden):
    arrays = load(golden / "mgcnet" / "07_losses.npz")
    images = ("I1", "I2", "m1", "m2", "warp_mask", "skin", "depth_tar", "depth_syn")
    return arrays | {key: arrays[key].permute(0, 3, 1, 2) for key in images}


def test_soft_masks_and_gradients(tensors):
    """Masks between 0 and 1 tell how often each loss applies them."""
    image = tensors["I1"].clone().requires_grad_()
    pixel = official_pixel_loss(image, tensors["I2"], tensors["warp_mask"], tensors["m2"])
    torch.testing.assert_close(pixel.detach(), tensors["pixel_loss"], rtol=1e-5, atol=0)
    check_gradient(pixel.sum(), image, tensors["dpx_dI1"])
    ssim = official_ssim_loss(image, tensors["I2"], tensors["warp_mask"])
    torch.testing.assert_close(ssim.detach(), tensors["ssim_loss"], rtol=1e-5, atol=0)
    check_gradient(ssim.sum(), image, tensors["dssim_dI1"], tolerance=1e-3)

    first, second = (tensors[key].clone().requires_grad_() for key in ("depth_tar", "depth_syn"))
    depth = official_depth_loss(first, second, tensors["warp_mask"])
    torch.testing.assert_close(depth.detach(), tensors["depth_loss"], rtol=1e-5, atol=0)
    check_gradient(depth.sum(), first, tensors["ddepth_dd1"])
    check_gradient(depth.sum(), second, tensors["ddepth_dd2"])


def check_gradient(value, variable, expected, tolerance=1e-4):
    (gradient,) = torch.autograd.grad(value, variable, retain_graph=True)
    gradient = gradient.permute(0, 2, 3, 1)
    assert (gradient - expected).norm() < tolerance * expected.norm()


@pytest.mark.parametrize("flags", ["222", "012", "100", "000"])
def test_flags_are_an_outer_product(tensors, flags):
    link = torch.tensor([float(flag) for flag in flags], dtype=torch.float64)
    synthesis, epipolar = split_flags(link)
    found = torch.stack(
        [
            combine_mean(tensors["pixel_loss"], synthesis),
            combine_valid(tensors["depth_loss"], synthesis),
            combine_valid(tensors["depth_loss"], epipolar),
        ]
    )
    expected = torch.stack([tensors[f"combine_{name}_{flags}"] for name in ("px", "depth", "epi")])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-12)


def test_skin_weights():
    found = official_skin(torch.tensor([100 / 255, 10 / 255, 200 / 255]))
    torch.testing.assert_close(found, torch.tensor([0.3921177, 0.0392118, 1.0]), rtol=1e-6, atol=1e-6)
