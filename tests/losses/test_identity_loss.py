"""Alignment to the recogniser's template and the identity loss."""

import torch
from torch import nn

from mgc_lightning.losses.identity import TEMPLATE_68, IdentityLoss, align_to_template


class Blocks(nn.Module):
    """A recogniser of mean colours on a 4 x 4 grid, with a dropout that must stay off."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(48, 16)
        self.dropout = nn.Dropout(0.9)

    def forward(self, images):
        blocks = nn.functional.adaptive_avg_pool2d(images - 0.5, 4)
        return self.dropout(self.project(blocks.flatten(1)))


def rotated(points, angle, scale, offset):
    cos, sin = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    return scale * points @ torch.stack([torch.stack([cos, sin]), torch.stack([-sin, cos])]) + offset


def smooth_image(size=224):
    v, u = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return torch.stack([(u / 17).sin(), (v / 23).cos(), ((u + v) / 31).sin()])[None] * 0.5 + 0.5


def test_landmarks_on_the_template_give_the_image_back():
    image = smooth_image()
    aligned = align_to_template(image, torch.tensor([TEMPLATE_68]), crop_size=224)
    torch.testing.assert_close(aligned, image, atol=1e-3, rtol=0)


def test_alignment_undoes_a_similarity():
    # A crop shows the colour of the image point that the similarity assigns to it.
    landmarks = rotated(torch.tensor(TEMPLATE_68), 0.3, 0.6, torch.tensor([70.0, 20.0]))[None]
    aligned = align_to_template(smooth_image(), landmarks, crop_size=112)
    centre = torch.tensor([[55.5, 60.5]])
    u, v = rotated(centre * 2, 0.3, 0.6, torch.tensor([70.0, 20.0]))[0]
    expected = torch.stack([(u / 17).sin(), (v / 23).cos(), ((u + v) / 31).sin()]) * 0.5 + 0.5
    torch.testing.assert_close(aligned[0, :, 60, 55], expected, atol=5e-3, rtol=0)


def test_loss_is_zero_for_the_same_face_and_falls_toward_it():
    loss = IdentityLoss(Blocks(), crop_size=64).train()
    image = torch.rand(3, 3, 64, 64)
    landmarks = torch.tensor([TEMPLATE_68]).expand(3, -1, -1) * 64 / 224
    assert loss(image, image, landmarks, landmarks).abs().max() < 1e-5
    other = torch.rand(3, 3, 64, 64)
    values = [loss(torch.lerp(image, other, amount), image, landmarks, landmarks) for amount in (1.0, 0.5, 0.1)]
    assert (values[0] > values[1]).all()
    assert (values[1] > values[2]).all()


def test_recogniser_is_frozen_and_gradient_reaches_the_render_only():
    recogniser = Blocks()
    loss = IdentityLoss(recogniser, crop_size=64).train()
    assert loss.training
    assert not recogniser.training
    image = torch.rand(2, 3, 64, 64)
    composite = torch.rand(2, 3, 64, 64, requires_grad=True)
    landmarks = (torch.tensor([TEMPLATE_68]).expand(2, -1, -1) * 64 / 224).clone().requires_grad_()
    loss(composite, image, landmarks, landmarks.detach()).sum().backward()
    assert composite.grad.abs().sum() > 0
    assert landmarks.grad is None
    assert all(parameter.grad is None for parameter in recogniser.parameters())


def test_recogniser_moves_along_but_is_not_saved():
    loss = IdentityLoss(Blocks(), crop_size=64)
    assert not loss.state_dict()
    assert not list(loss.parameters())
    assert next(nn.ModuleList([loss]).double()[0].recogniser.parameters()).dtype == torch.float64


def test_degenerate_landmarks_stay_finite():
    aligned = align_to_template(torch.rand(1, 3, 32, 32), torch.full((1, 68, 2), 16.0), crop_size=32)
    assert torch.isfinite(aligned).all()
