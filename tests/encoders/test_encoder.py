import pytest
import torch
from torch.nn import functional as F

from mgc_lightning.encoders import CoefficientHead, Encoder, OfficialResNet, ResNet, official_encoder
from mgc_lightning.encoders.head import adaptive_average
from mgc_lightning.errors import MGCError


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("depth", "features", "parameters"),
    [(18, 512, 11_176_512), (34, 512, 21_284_672), (50, 2048, 23_508_032)],
)
def test_resnet_has_the_published_size(depth, features, parameters):
    # torchvision's counts without the classifier
    backbone = ResNet(depth)
    assert backbone.num_features == features
    assert count(backbone) == parameters


@pytest.mark.parametrize("backbone", [ResNet, OfficialResNet])
@pytest.mark.parametrize("depth", [18, 34, 50])
def test_width_scales_features(backbone, depth):
    network = backbone(depth, width=8)
    assert network.num_features == 8 * (64 // 8) * (4 if depth == 50 else 1)
    assert network(torch.rand(2, 3, 96, 64)).shape[:2] == (2, network.num_features)


def test_official_parameters_and_feature_sizes():
    encoder = official_encoder()
    assert count(encoder) == 24_008_065
    assert count(encoder.backbone) == 23_481_472
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in encoder.modules())
    weights = [name for name, _ in encoder.named_parameters() if name.endswith("weight")]
    assert len(weights) == 54
    assert len(list(encoder.parameters())) == 108

    backbone, sizes = encoder.backbone, []
    with torch.no_grad():
        x = F.relu(backbone.conv1(torch.rand(1, 3, 224, 224)))
        sizes.append(x.shape[-1])
        x = F.max_pool2d(x, 3, stride=2)
        sizes.append(x.shape[-1])
        for layer in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
            x = layer(x)
            sizes.append(x.shape[-1])
    assert sizes == [112, 55, 28, 14, 7, 7]


def test_official_is_the_same_in_training_and_evaluation():
    encoder = Encoder(OfficialResNet(50, width=8), 20, spatial_channels=0, head_std=None)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(encoder.train()(images), encoder.eval()(images), rtol=0, atol=0)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 14])
def test_adaptive_average_is_torchs(length):
    features = torch.rand(2, 4, length, 7)
    ours = adaptive_average(adaptive_average(features, 3, 2), 3, 3)
    torch.testing.assert_close(ours, F.adaptive_avg_pool2d(features, 3))


def test_untrained_encoder_predicts_almost_nothing():
    encoder = Encoder(ResNet(18, width=16), 205).eval()
    assert encoder(torch.rand(4, 3, 96, 96)).abs().max() < 0.2


def test_head_sees_where_things_are():
    features = torch.zeros(1, 8, 6, 6)
    features[..., 0, 0] = 1
    flipped = features.flip(-1)
    plain, spatial = CoefficientHead(8, 5, spatial_channels=0), CoefficientHead(8, 5)
    torch.testing.assert_close(plain(features), plain(flipped))
    assert not torch.allclose(spatial(features), spatial(flipped), atol=1e-6)


def test_unknown_depth_is_named():
    with pytest.raises(MGCError, match="`depth` must be one of 18, 34, 50; got 101"):
        ResNet(101)


@pytest.mark.parametrize("backbone", [ResNet, OfficialResNet])
def test_torch_export_with_a_dynamic_batch(backbone):
    encoder = Encoder(backbone(18, width=8), 30).eval()
    images = torch.rand(2, 3, 96, 96)
    program = torch.export.export(encoder, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    larger = torch.rand(5, 3, 96, 96)
    torch.testing.assert_close(program.module()(larger), encoder(larger))


@pytest.mark.parametrize("size", [96, 224])
def test_onnx_agrees(tmp_path, size):
    onnxruntime = pytest.importorskip("onnxruntime")
    encoder = Encoder(ResNet(18, width=4), 30).eval()
    images = torch.rand(2, 3, size, size)
    path = tmp_path / "encoder.onnx"
    torch.onnx.export(
        encoder, (images,), path, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False
    )
    session = onnxruntime.InferenceSession(path)
    larger = torch.rand(3, 3, size, size)
    (found,) = session.run(None, {session.get_inputs()[0].name: larger.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), encoder(larger), rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter():
    encoder = Encoder(ResNet(50, width=8), 30)
    encoder(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
