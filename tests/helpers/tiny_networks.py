"""A small untrained network for tests of inference."""

import torch

from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.face_network import FaceNetwork, OutputScaling

SIZE = 64
ROLLED = torch.tensor([[120.0, 90.0], [150.0, 108.0], [125.0, 122.0], [105.0, 125.0], [128.0, 140.0]])


def make_network():
    torch.manual_seed(1)
    model = load_face_model("makehuman", level=0)
    encoder = Encoder(ResNet(18, width=8), model.layout.total, head_std=0.05)
    return FaceNetwork(encoder, model, SIZE, focal=2000.0, output_scaling=OutputScaling.measured()).eval()


def face_points(size):
    """Give the embedded head's 68 points from the front, `size` px wide, from 0."""
    model = load_face_model("makehuman", level=0)
    points = model.landmarks68(model.mean)[:, :2] * torch.tensor([1.0, -1.0])
    points = points - points.amin(0)
    return points * (size / points[:, 0].max())
