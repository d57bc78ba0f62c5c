"""`--smooth SECONDS` means a cut-off of that period: response and lag of the filter, and poses in the whole frame."""

import numpy as np
import pytest
import torch

from mgc_lightning.coefficients import CoefficientLayout, FaceCoefficients
from mgc_lightning.geometry.camera import FACE_SIZE, intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.photographs.crop import invert_similarity
from mgc_lightning.reconstruction.face import camera_of_image
from mgc_lightning.reconstruction.smoothing import FOLLOW, smooth, smooth_coefficients

SECONDS = 0.6


def uneven_times(duration=12.0, rate=30.0):
    """Give times of a recording whose frames come when they like: twice as far apart now and then."""
    steps = np.random.default_rng(0).choice([0.6, 1.0, 2.0], int(duration * rate)) / rate
    return np.cumsum(steps)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize(("periods", "expected"), [(0.5, 0.009), (1.0, 0.5), (2.0, 0.933), (4.0, 0.995)])
def test_attenuation_and_lag(periods, expected, even):
    times = np.arange(360) / 30 if even else uneven_times()
    angle = 2 * np.pi * times / (periods * SECONDS)
    smoothed = smooth(np.sin(angle), np.ones(len(times), bool), times, SECONDS)
    inner = (times > 2) & (times < times[-1] - 2)
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1)[inner]
    kept, lag = np.linalg.lstsq(waves, smoothed[inner], rcond=None)[0]
    assert kept == pytest.approx(expected, abs=0.01 if even else 0.04)
    assert lag == pytest.approx(0, abs=0.002 if even else 0.03)


def test_what_speeds_up_stays_where_it_is():
    times = uneven_times(3.0)
    place = 5 + 40 * times - 300 * times**2
    np.testing.assert_allclose(smooth(place, np.ones(len(times), bool), times, SECONDS), place, atol=1e-6)


def test_noise_falls_as_the_window_says():
    times = np.arange(3000) / 30
    noise = np.random.default_rng(1).normal(size=3000)
    smoothed = smooth(noise, np.ones(3000, bool), times, SECONDS)
    # The equivalent kernel's energy: 27 / (32 sqrt(pi)) over the standard deviation in frames.
    expected = np.sqrt(27 / 32 / np.sqrt(np.pi) / (0.2916 * SECONDS * 30))
    assert smoothed[60:-60].std() == pytest.approx(expected, rel=0.05)


def test_constant_values_stay_and_gaps_are_filled():
    times = np.arange(40) / 10
    found = np.ones(40, dtype=bool)
    found[8:11] = False
    line = np.where(found, 3.0 + times, np.nan)[:, None]
    np.testing.assert_allclose(smooth(line, found, times, 1.0), 3.0 + times[:, None])
    lonely = np.zeros(40, dtype=bool)
    lonely[0] = True
    result = smooth(np.ones((40, 1)), lonely, times, 1.0)[:, 0]
    assert np.isfinite(result[:11]).all()
    assert np.isnan(result[13:]).all()
    np.testing.assert_allclose(smooth(line, found, times, 0.01)[:8], line[:8])


LAYOUT = CoefficientLayout(4, 3, 5)
K_CROP = intrinsics(96)


def moving_face(place, noise):
    """Give coefficients and crops of a head at `place` (T, 2) px, whose detector is off by `noise` (T, 2) px."""
    crops = torch.eye(2, 3).repeat(len(place), 1, 1) * 0.4
    crops[:, :, 2] = 48 - 0.4 * (place + noise)
    vector = torch.zeros(len(place), LAYOUT.total)
    pose = LAYOUT.slices["pose"]
    vector[:, pose] = torch.tensor([0.0, 0.0, torch.pi, 0.0, 0.0, 5000.0])
    # The network is not misled by the crop: the face is where it is.
    off = 0.4 * (place - (place + noise)) * 5000 / K_CROP[0, 0]
    vector[:, pose.start + 3 : pose.start + 5] = off
    return FaceCoefficients.from_vector(vector, LAYOUT), crops


def seen_at(coefficients, crops):
    K, T = camera_of_image(invert_similarity(crops), K_CROP, pose_to_transform(coefficients.pose))
    return project(transform_points(T, torch.zeros(len(crops), 1, 3)), K)[:, 0], K[:, 0, 0] / T[:, 2, 3]


def test_jitter_of_the_crops_goes_and_the_head_is_followed():
    torch.manual_seed(0)
    times = uneven_times(8.0)
    seconds = torch.from_numpy(times).float()
    place = torch.stack([300 + 100 * torch.sin(2 * torch.pi * seconds / 3), 200 + 20 * seconds], dim=1)
    coefficients, crops = moving_face(place, 6 * torch.randn(len(place), 2))
    before, _ = seen_at(coefficients, crops)
    torch.testing.assert_close(before, place, atol=0.05, rtol=0)
    found = np.ones(len(times), bool)
    smoothed, after, known = smooth_coefficients(coefficients, crops, found, times, 0.5, K_CROP)
    assert known.all()
    torch.testing.assert_close(after, crops)
    now, scale = seen_at(smoothed, after)
    torch.testing.assert_close(now[10:-10], place[10:-10], atol=1.0, rtol=0)
    torch.testing.assert_close(scale, scale[:1].expand_as(scale))


def test_a_face_stays_on_the_head_in_fast_motion():
    times = np.arange(120) / 30
    face_px = FACE_SIZE * float(K_CROP[0, 0]) / 0.4 / 5000
    shake = 0.5 * face_px * torch.sin(2 * torch.pi * torch.from_numpy(times).float() / 0.3)
    place = torch.stack([300 + shake, torch.full_like(shake, 200.0)], dim=1)
    coefficients, crops = moving_face(place, torch.zeros(len(place), 2))
    smoothed, after, _ = smooth_coefficients(coefficients, crops, np.ones(120, bool), times, 1.0, K_CROP)
    away = (seen_at(smoothed, after)[0] - place).norm(dim=1)
    assert 0.9 * FOLLOW * face_px < away.max() < 1.1 * FOLLOW * face_px


def test_a_gap_is_crossed_on_a_line():
    times = np.arange(40) / 20
    place = torch.stack([300 + 50 * torch.from_numpy(times).float(), torch.full((40,), 200.0)], dim=1)
    coefficients, crops = moving_face(place, torch.zeros(40, 2))
    found = np.ones(40, bool)
    found[18:22] = False
    crops[18:22] = 0
    smoothed, after, known = smooth_coefficients(coefficients, crops, found, times, 0.6, K_CROP)
    assert known.all()
    torch.testing.assert_close(seen_at(smoothed, after)[0], place, atol=0.5, rtol=0)


def test_rotations_stay_rotations_and_the_person_the_same():
    torch.manual_seed(0)
    coefficients, crops = moving_face(torch.full((60, 2), 200.0), torch.zeros(60, 2))
    clean = coefficients.to_vector()
    clean[:, LAYOUT.slices["pose"].start + 1] = torch.linspace(-0.5, 0.5, 60)
    noisy = FaceCoefficients.from_vector(clean + 0.05 * torch.randn_like(clean), LAYOUT)
    smoothed, _, _ = smooth_coefficients(noisy, crops, np.ones(60, bool), np.arange(60) / 30, 0.6, K_CROP)
    assert (smoothed.identity == smoothed.identity[0]).all()
    truth = clean[:, LAYOUT.slices["pose"]]

    def error(pose):
        return (torch.remainder(pose[:, :3] - truth[:, :3] + torch.pi, 2 * torch.pi) - torch.pi)[8:-8].std()

    assert error(smoothed.pose) < 0.5 * error(noisy.pose)
