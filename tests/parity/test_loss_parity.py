"""Losses on given masks against numbers recorded from the official program (file 07_losses)."""

import numpy as np
import pytest
import torch

from mgc_lightning.losses.depth import depth_ratio
from mgc_lightning.losses.identity import cosine_distance
from mgc_lightning.losses.landmark import landmark_loss, landmark_weights
from mgc_lightning.losses.photometric import photometric_residual
from mgc_lightning.losses.pixel import pixel_consistency
from mgc_lightning.losses.priors import gaussian_prior
from mgc_lightning.losses.ssim import dissimilarity_map


@pytest.fixture(scope="module")
def recorded(golden):
    path = golden / "mgcnet" / "07_losses.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with np.load(path) as arrays:
        data = {name: torch.from_numpy(arrays[name]) for name in arrays.files if arrays[name].ndim}
        data |= {name: torch.tensor(arrays[name]) for name in arrays.files if not arrays[name].ndim}
    return {name: value.permute(0, 3, 1, 2).contiguous() if value.ndim == 4 else value for name, value in data.items()}


def assert_parity(ours, official):
    torch.testing.assert_close(ours, official, rtol=1e-5, atol=1e-7)


def relative_error(ours, official):
    return ((ours - official).norm() / official.norm()).item()


def test_photometric_and_its_gradient(recorded):
    image = recorded["I1"].clone().requires_grad_()
    residual = photometric_residual(image, recorded["I2"], recorded["skin"])
    # The official sum runs over the whole image, a constant more than the sum over the mask.
    area = (recorded["skin"] * recorded["m1"]).sum((1, 2, 3)) + 1e-6
    loss = (residual.sum((1, 2, 3)) / area).mean()
    assert_parity(loss, recorded["render_skin_loss"])
    loss.backward()
    assert_parity(image.grad, recorded["drender_dI1"])


def test_landmark_and_its_gradient(recorded):
    assert torch.equal(landmark_weights(5.0), recorded["lm_weight"])
    predicted = recorded["lm_pred"].clone().requires_grad_()
    loss = landmark_loss(predicted, recorded["lm_gt"], landmark_weights(5.0)).mean()
    assert_parity(loss, recorded["lm_loss"])
    loss.backward()
    assert_parity(predicted.grad, recorded["dlm_dlmp"])


def test_identity(recorded):
    assert_parity(cosine_distance(recorded["emb1"], recorded["emb2"]).mean(), recorded["id_loss"])


def test_priors(recorded):
    # The official prior is a sum over the batch.
    total = sum(gaussian_prior(view).sum() for view in recorded["reg_coeffs"])
    assert_parity(total, recorded["reg_loss"])


def test_pixel_and_its_gradient(recorded):
    image = recorded["I1"].clone().requires_grad_()
    loss = pixel_consistency(image, recorded["I2"], recorded["warp_mask"] * recorded["m2"])
    assert_parity(loss, recorded["pixel_loss"])
    loss.sum().backward()
    assert_parity(image.grad, recorded["dpx_dI1"])


def test_ssim_and_its_gradient(recorded):
    image = recorded["I1"].clone().requires_grad_()
    ours = dissimilarity_map(image, recorded["I2"])
    # Variances as differences of float32 means lose digits.
    torch.testing.assert_close(ours, recorded["ssim_map"], rtol=1e-5, atol=1e-5)
    # The official loss is a mean over the whole image.
    weight = torch.nn.functional.avg_pool2d(recorded["warp_mask"], 3, 1)
    loss = (ours * weight).mean((1, 2, 3))
    assert_parity(loss, recorded["ssim_loss"])
    loss.sum().backward()
    assert relative_error(image.grad, recorded["dssim_dI1"]) < 1e-5


def test_depth_ratio_and_official_residual(recorded):
    target, sampled = recorded["depth_tar"].clone(), recorded["depth_syn"].clone()
    target.requires_grad_()
    sampled.requires_grad_()
    mask = recorded["warp_mask"]
    aligned = sampled * depth_ratio(sampled, target, mask)
    assert_parity(aligned, recorded["depth_aligned"])
    # The official residual is a mean over the whole image, of the mask twice.
    loss = (mask.square() * (aligned - target).abs()).mean((1, 2, 3))
    assert_parity(loss, recorded["depth_loss"])
    loss.sum().backward()
    assert relative_error(target.grad, recorded["ddepth_dd1"]) < 1e-5
    assert relative_error(sampled.grad, recorded["ddepth_dd2"]) < 1e-5
