import subprocess
import sys

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit


def _rotation(dimensions, batch=()):
    Q = torch.linalg.qr(torch.randn(*batch, dimensions, dimensions, dtype=torch.float64)).Q
    flip = torch.ones_like(Q[..., 0, :])
    flip[..., 0] = torch.linalg.det(Q).sign()
    return Q * flip[..., None, :]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_known_similarity_is_recovered(dimensions, batch):
    points = torch.randn(*batch, 10, dimensions, dtype=torch.float64)
    R = _rotation(dimensions, batch)
    s = 0.5 + torch.rand(batch, dtype=torch.float64)
    t = torch.randn(*batch, dimensions, dtype=torch.float64)
    found = similarity_fit(points, apply_similarity(points, s, R, t))
    for got, expected in zip(found, (s, R, t), strict=True):
        torch.testing.assert_close(got, expected)


def test_without_scale_the_fit_is_rigid():
    points = torch.randn(10, 3, dtype=torch.float64)
    R = _rotation(3)
    s, found, _ = similarity_fit(points, 3 * points @ R.mT, with_scale=False)
    assert s == 1
    torch.testing.assert_close(found, R)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_mirrored_points_get_no_reflection(dimensions):
    points = torch.randn(20, dimensions, dtype=torch.float64)
    mirror = torch.ones(dimensions, dtype=torch.float64)
    mirror[0] = -1
    _, R, _ = similarity_fit(points, points * mirror)
    assert torch.linalg.det(R).item() == pytest.approx(1)


def test_weights_choose_the_points():
    points = torch.randn(12, 3, dtype=torch.float64)
    target = points @ _rotation(3).mT * 2 + 1
    spoilt = target.clone()
    spoilt[8:] += 100
    weights = torch.cat([torch.ones(8), torch.zeros(4)]).double()
    for got, expected in zip(
        similarity_fit(points, spoilt, weights), similarity_fit(points[:8], target[:8]), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_no_other_similarity_is_better():
    source, target = torch.randn(2, 15, 3, dtype=torch.float64)
    s, R, t = similarity_fit(source, target)
    best = (apply_similarity(source, s, R, t) - target).square().sum()
    for _ in range(50):
        vector = 0.05 * torch.randn(3, 3, dtype=torch.float64)
        wiggle = torch.linalg.matrix_exp(vector - vector.mT)
        other = apply_similarity(
            source, s * (1 + 0.05 * torch.randn(()).double()), wiggle @ R, t + 0.05 * torch.randn(3).double()
        )
        assert (other - target).square().sum() >= best


def test_agrees_with_scikit_image():
    transform = pytest.importorskip("skimage.transform")
    source, target = torch.randn(2, 5, 2, dtype=torch.float64)
    reference = transform.estimate_transform("similarity", source.numpy(), target.numpy())
    s, R, t = similarity_fit(source, target)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = (s * R).numpy(), t.numpy()
    np.testing.assert_allclose(matrix, reference.params, atol=1e-10)


def test_gradient():
    source, target = torch.randn(2, 2, 8, 3, dtype=torch.float64)
    target = source + 0.1 * target
    assert torch.autograd.gradcheck(similarity_fit, (source.requires_grad_(), target.requires_grad_()))


def test_points_without_extent_give_a_translation():
    source = torch.ones(4, 3, requires_grad=True)
    s, R, t = similarity_fit(source, torch.zeros(4, 3))
    (s + R.sum() + t.sum()).backward()
    assert s == 1
    assert R.isfinite().all()
    torch.testing.assert_close(apply_similarity(source, s, R, t).detach(), torch.zeros(4, 3))
    assert source.grad.isfinite().all()


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(MGCError, match=r"\(5, 3\).*\(4, 3\)"):
        similarity_fit(torch.zeros(5, 3), torch.zeros(4, 3))
    with pytest.raises(MGCError, match="one weight a point, 5"):
        similarity_fit(torch.zeros(5, 3), torch.zeros(5, 3), torch.zeros(4))


def test_gradients_after_a_first_use_in_inference_mode():
    program = """
import torch
from mgc_lightning.geometry.alignment import similarity_fit
with torch.inference_mode():
    similarity_fit(torch.rand(8, 3), torch.rand(8, 3))
source = torch.rand(8, 3, requires_grad=True)
similarity_fit(source, torch.rand(8, 3))[1].sum().backward()
assert source.grad.isfinite().all()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
