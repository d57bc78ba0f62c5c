"""Each loss by itself: values worked out by hand, masks, batches, gradients at zero."""

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.losses.depth import depth_consistency
from mgc_lightning.losses.epipolar import epipolar_loss
from mgc_lightning.losses.landmark import DETAIL_LANDMARKS, landmark_loss, landmark_weights
from mgc_lightning.losses.photometric import photometric_loss, skin_weight
from mgc_lightning.losses.pixel import pixel_consistency
from mgc_lightning.losses.priors import gaussian_prior
from mgc_lightning.losses.schedule import Ramp
from mgc_lightning.losses.ssim import dissimilarity_map, ssim_loss
from mgc_lightning.losses.views import composite


def half_mask(batch=2, size=8):
    mask = torch.zeros(batch, 1, size, size)
    mask[..., : size // 2] = 1
    return mask


def test_composite_is_the_render_inside_and_the_image_outside():
    rendered, image, mask = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), half_mask()
    result = composite(rendered, mask, image)
    torch.testing.assert_close(result[..., :4], rendered[..., :4])
    torch.testing.assert_close(result[..., 4:], image[..., 4:])


def test_skin_weight():
    assert skin_weight(torch.tensor([0.0, 0.3, 0.5, 0.51, 1.0])).tolist() == pytest.approx([0, 0.3, 0.5, 1, 1])


def test_photometric_value():
    # |(.3, 0, .4)| = .5 on the mask; twice that beyond it must not count.
    reference = torch.zeros(2, 3, 8, 8)
    image = torch.tensor([0.3, 0.0, 0.4]).view(1, 3, 1, 1) * (2 - half_mask())
    loss = photometric_loss(image, reference, torch.ones(2, 1, 8, 8), half_mask())
    torch.testing.assert_close(loss, torch.full((2,), 0.5), atol=1e-5, rtol=0)


def test_photometric_is_normalised_by_skin():
    reference, image = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)
    for weight in (1.0, 0.2):
        loss = photometric_loss(image, reference, torch.full((1, 1, 8, 8), weight), torch.ones(1, 1, 8, 8))
        assert loss.item() == pytest.approx(0.75**0.5, rel=1e-3)


def test_landmark_weights_and_value():
    weights = landmark_weights(5.0)
    assert weights.sum().item() == 68 + 4 * 17
    assert len(DETAIL_LANDMARKS) == 17
    predicted = torch.zeros(3, 68, 2)
    detected = torch.tensor([3.0, 4.0]).expand(3, 68, 2)
    loss = landmark_loss(predicted, detected, weights, scale=2.0)
    torch.testing.assert_close(loss, torch.full((3,), 100.0 * (68 + 68) / 68))


def test_landmarks_of_each_sample_have_weights_of_their_own():
    predicted, detected = torch.zeros(2, 68, 2), torch.ones(2, 68, 2)
    weights = torch.ones(2, 68)
    weights[1, :17] = 0
    loss = landmark_loss(predicted, detected, weights)
    torch.testing.assert_close(loss, torch.tensor([2.0, 2.0 * 51 / 68]))


def test_prior_is_in_standard_deviations():
    sigma = torch.tensor([0.5, 2.0])
    torch.testing.assert_close(gaussian_prior(sigma.expand(4, 2) * 3, sigma), torch.full((4,), 18.0))


def test_pixel_counts_masked_pixels_only():
    target, synthesised = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    synthesised[..., :4] = 0.1
    loss = pixel_consistency(synthesised, target, half_mask())
    torch.testing.assert_close(loss, torch.full((2,), (0.03 + 1e-6) ** 0.5), atol=1e-6, rtol=0)


def test_depth_is_a_mean_over_the_mask_in_mm():
    sampled = torch.full((2, 1, 8, 8), 5000.0)
    transformed = sampled + 3
    transformed[..., 4:] = 0
    torch.testing.assert_close(
        depth_consistency(sampled, transformed, half_mask()), torch.full((2,), 3.0), atol=1e-4, rtol=0
    )
    scale_free = depth_consistency(1.1 * sampled, transformed, half_mask(), scale_free=True)
    assert scale_free.max() < 0.2


def test_ssim_of_equal_images_is_zero_and_of_noise_is_not():
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(dissimilarity_map(image, image), torch.zeros(2, 3, 14, 14))
    assert (ssim_loss(torch.rand(2, 3, 16, 16), image, torch.ones(2, 1, 16, 16)) > 0.2).all()


def test_ssim_looks_at_whole_windows_only():
    image = torch.rand(1, 3, 16, 16)
    other, mask = image.clone(), torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    other[..., :4, :] = 0
    other[..., 12:] = 0
    assert ssim_loss(other, image, mask).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        lambda image, mask: photometric_loss(image, image.detach(), mask, mask),
        lambda image, mask: pixel_consistency(image, image.detach(), mask),
        lambda image, mask: ssim_loss(image, image.detach(), mask),
        lambda image, mask: depth_consistency(image[:, :1], image[:, :1].detach(), mask),
    ],
    ids=["photometric", "pixel", "ssim", "depth"],
)
@pytest.mark.parametrize("covered", [True, False])
def test_gradients_at_zero_and_of_empty_masks_are_finite(loss, covered):
    image = torch.rand(2, 3, 8, 8, requires_grad=True)
    value = loss(image, torch.full((2, 1, 8, 8), float(covered)))
    assert value.shape == (2,)
    assert value.max() < 2e-3
    value.sum().backward()
    assert torch.isfinite(image.grad).all()


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b, m: photometric_loss(a, b, m, m),
        pixel_consistency,
        ssim_loss,
        lambda a, b, m: depth_consistency(a[:, :1], b[:, :1], m),
    ],
    ids=["photometric", "pixel", "ssim", "depth"],
)
def test_a_sample_does_not_feel_its_batch(loss):
    first, second = torch.rand(4, 3, 9, 9), torch.rand(4, 3, 9, 9)
    mask = (torch.rand(4, 1, 9, 9) > 0.1).float()
    together = loss(first, second, mask)
    alone = torch.cat([loss(first[i : i + 1], second[i : i + 1], mask[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_epipolar_scale_states_pixels_at_224():
    from mgc_lightning.geometry.camera import intrinsics
    from mgc_lightning.geometry.pose import pose_to_transform

    T = pose_to_transform(torch.tensor([[0.0, 0.0, 3.14, 0.0, 9.0, 5000.0], [0.1, 0.4, 3.1, 5.0, 0.0, 4900.0]]))
    points = torch.rand(2, 68, 2) * 224
    values = []
    for size in (224, 112):
        K = intrinsics(size)[None]
        factor = 224 / size
        values.append(epipolar_loss(points[:1] / factor, points[1:] / factor, T[:1], T[1:], K, K, scale=factor))
    torch.testing.assert_close(*values, rtol=1e-3, atol=0)
    assert values[0] > 1


def test_ramp():
    ramp = Ramp(start=10.0, until=0.5, begin=0.25)
    assert [ramp(p) for p in (0.0, 0.25, 0.375, 0.5, 1.0)] == [10.0, 10.0, 5.5, 1.0, 1.0]
    assert Ramp(start=0.0, until=0.0)(0.0) == 1.0
    with pytest.raises(MGCError, match="begin"):
        Ramp(start=1.0, until=0.1, begin=0.2)
