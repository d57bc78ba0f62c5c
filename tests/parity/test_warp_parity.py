"""The official warp around library functions, and the library's own where it differs (recorded files 04, 06)."""

import numpy as np
import pytest
import torch

from benchmarks.official.losses import align_depth
from benchmarks.official.warp import OfficialWarp, inside_image, official_warp
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.covisibility import covisible_mask
from mgc_lightning.geometry.pose import pose_to_transform, relative_transform
from mgc_lightning.geometry.view_synthesis import correspond, sample_bilinear


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "mgcnet" / "04_warp.npz") as file:
        arrays = {key: torch.from_numpy(file[key]).double() for key in file.files}
    for key in ("img_tar", "img_src"):
        arrays[key] = arrays[key].permute(0, 3, 1, 2) / 255
    for key in ("depth_tar", "depth_src"):
        arrays[key] = arrays[key][:, None]
    arrays["face_mask_tar"] = arrays["face_mask_tar"].permute(0, 3, 1, 2)
    return arrays


@pytest.fixture(scope="module")
def K(recorded):
    return recorded["K"].expand(6, 3, 3)


def weights():
    y, x = torch.meshgrid(*2 * (torch.arange(224, dtype=torch.float64) / 224,), indexing="ij")
    return torch.stack([torch.sin(6 * x + 1) * torch.cos(5 * y), torch.cos(7 * x * y), torch.sin(9 * y - 3 * x)])


def test_intrinsics_are_the_default(recorded):
    torch.testing.assert_close(intrinsics(224, dtype=torch.float64), recorded["K"])


def test_sampler(recorded):
    image = recorded["sampler_img"].permute(0, 3, 1, 2)
    uv = recorded["sampler_coords"] + 0.5
    warp = OfficialWarp(uv, inside_image(uv, 5, 6))
    found = warp.sample(image).permute(0, 2, 3, 1)
    assert (found - recorded["sampler_out"]).abs().max() < 1e-6
    assert (warp.inside.permute(0, 2, 3, 1) - recorded["sampler_mask"]).abs().max() < 1e-6


def test_warped_images_and_depths(recorded, K):
    warp = official_warp(recorded["depth_tar"], pose_to_transform(recorded["rel_pose_vec"]), K)
    face = recorded["face_mask_tar"]
    image = warp.sample(recorded["img_src"])[:3].permute(0, 2, 3, 1)
    error = (image - recorded["warp_img"]).abs() * face[:3].permute(0, 2, 3, 1)
    assert error.max() < 1e-3
    assert (warp.inside[:, 0] - recorded["warp_mask"]).abs().max() < 1e-3

    error = (warp.sample(recorded["depth_src"])[:, 0] - recorded["warp_depth"]).abs()[face[:, 0] > 0]
    assert error.median() < 1e-3
    assert error.max() < 5


def test_gradients(recorded, K):
    pose = recorded["rel_pose_vec"].clone().requires_grad_()
    depth = recorded["depth_tar"].clone().requires_grad_()
    warp = official_warp(depth, pose_to_transform(pose), K)
    value = (warp.sample(recorded["img_src"]) * weights() * recorded["face_mask_tar"]).sum()
    assert float(value.detach()) == pytest.approx(float(recorded["Lw"]), rel=1e-4)
    of_pose, of_depth = torch.autograd.grad(value, (pose, depth))
    # The recorded gradients are float32: their noise floor for this term is 3.2e-3.
    assert relative(of_pose, recorded["dLw_drelpose"]) < 1e-2
    assert relative(of_depth[:2, 0], recorded["dLw_ddepth_tar"]) < 1e-3


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def right(golden, recorded, K):
    """The library's correspondences and covisible pixels on the same pairs."""
    h5py = pytest.importorskip("h5py", reason="the extra `face-models` is not installed")
    with h5py.File(golden / "mgcnet" / "00_pseudo_bfm_small.h5") as file:
        faces = torch.from_numpy(file["shape_fore/representer/tri"][()].astype(np.int64)) - 1
    with np.load(golden / "mgcnet" / "06_covisible.npz") as file:
        ids = [torch.from_numpy(file[f"tri_id_{name}_bottom_up"].astype(np.int64)).flip(1) for name in ("tar", "src")]
    covered = [recorded[f"depth_{name}"][:, 0] > 0 for name in ("tar", "src")]
    target, source = (torch.where(mask, id, -1) for mask, id in zip(covered, ids, strict=True))
    T = relative_transform(pose_to_transform(recorded["pose_tar"]), pose_to_transform(recorded["pose_src"]))
    found = correspond(recorded["depth_tar"], T, K, K)
    mask = covisible_mask(found, recorded["depth_src"], target, source, faces, int(faces.max()) + 1)
    return found, mask


def test_right_depth_residual_is_below_half_a_millimetre(recorded, right):
    """Official residuals with perfect geometry: 8 to 26 mm, since depths of two cameras are compared."""
    found, mask = right
    sampled = sample_bilinear(recorded["depth_src"], found.uv)
    aligned = align_depth(recorded["depth_tar"], sampled, mask.double())
    right_median, official_mean = [], []
    for pair in range(6):
        chosen = mask[pair]
        assert chosen.sum() > 2000
        right_median.append((sampled[pair] - found.depth[pair]).abs()[chosen].median())
        official_mean.append((aligned[pair] - recorded["depth_tar"][pair]).abs()[chosen].mean())
    assert max(right_median) < 0.5
    assert min(official_mean) > 7
    assert 20 < max(official_mean) < 30


def test_half_a_pixel_is_what_the_official_warp_is_off(recorded, right, K):
    found, mask = right
    T = pose_to_transform(recorded["rel_pose_vec"])
    official = official_warp(recorded["depth_tar"], T, K)
    # The official pixel (c, r) takes the depth that its renderer drew at (c + .5, r + .5).
    offset = (official.uv - found.uv).norm(dim=-1)
    means = torch.stack([offset[pair][mask[pair, 0]].mean() for pair in range(6)])
    recorded_means = torch.tensor([0.108, 0.199, 0.242, 0.137, 0.316, 0.0425], dtype=torch.float64)
    assert (means - recorded_means).abs().max() < 0.01
