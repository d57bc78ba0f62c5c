"""The network gives absolute coefficients in the conventions, and can be written down and built again."""

import json

import pytest
import torch
from torch import nn

from mgc_lightning.encoders import Encoder, OfficialResNet, ResNet
from mgc_lightning.encoders.registry import BACKBONES, record_init_args, register_backbone
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.networks.face_network import FaceNetwork, OutputScaling


@pytest.fixture(scope="module")
def face_model():
    return load_face_model("makehuman", level=0)


def make(face_model, **options):
    encoder = Encoder(ResNet(18, width=8), face_model.layout.total)
    return FaceNetwork(encoder, face_model, **({"image_size": 64} | options)).eval()


def silence(network):
    """Let the encoder give zeros."""
    nn.init.zeros_(network.encoder.head.linear.weight)
    nn.init.zeros_(network.encoder.head.linear.bias)
    return network


def test_silent_encoder_gives_the_mean_face_at_the_main_pose_under_ambient_light(face_model):
    network = silence(make(face_model))
    coefficients = network.coefficients(torch.rand(2, 3, 64, 64))
    expected = face_model.mean_coefficients(2)
    torch.testing.assert_close(coefficients.to_vector(), expected.to_vector())
    assert coefficients.light.reshape(2, 3, 9)[:, :, 0].eq(0.8).all()


@pytest.mark.parametrize("focal", [4700.0, 1000.0])
@pytest.mark.parametrize("image_size", [64, 224])
def test_mean_face_keeps_its_place_in_the_image_at_any_focal_length(face_model, focal, image_size):
    network = silence(make(face_model, image_size=image_size, focal=focal))
    vector, verts, landmarks = network(torch.rand(1, 3, image_size, image_size))
    assert vector.shape == (1, face_model.layout.total)
    torch.testing.assert_close(verts[0], face_model.mean)
    centre = landmarks[0].mean(0) / image_size
    assert 0.4 < centre[0] < 0.6
    assert 0.4 < centre[1] < 0.7
    reference = silence(make(face_model, image_size=224))(torch.rand(1, 3, 224, 224))[2]
    # 4.7 times nearer, perspective changes the face by a few per cent of its size
    torch.testing.assert_close(landmarks / image_size, reference / 224, atol=0.03, rtol=0)


def test_output_scaling_reaches_each_group(face_model):
    scaling = OutputScaling(2.0, 3.0, 4.0, (0.1, 0.2, 0.3), 5.0, 6.0, 7.0)
    network = silence(make(face_model, output_scaling=scaling, focal=2 * DEFAULT_FOCAL))
    base = network.coefficients(torch.rand(1, 3, 64, 64))
    nn.init.ones_(network.encoder.head.linear.bias)
    shift = network.coefficients(torch.rand(1, 3, 64, 64)).to_vector() - base.to_vector()
    parts = face_model.layout.slices
    assert shift[0, parts["identity"]].eq(2).all()
    assert shift[0, parts["albedo"]].eq(3).all()
    torch.testing.assert_close(shift[0, parts["expression"]], 4 * face_model.expression_sigma)
    pose = torch.tensor([0.1, 0.2, 0.3, 5.0, 5.0, 12.0])
    torch.testing.assert_close(shift[0, parts["pose"]], pose, atol=1e-3, rtol=0)
    torch.testing.assert_close(shift[0, parts["light"]], torch.full((27,), 7.0))


def test_official_scaling_is_the_identity():
    layout = load_face_model("makehuman").layout
    assert OutputScaling.official().vector(layout).eq(1).all()
    assert OutputScaling.measured().rotation == (0.2, 0.4, 0.2)


def test_landmarks_are_differentiable_to_the_encoder(face_model):
    network = make(face_model).train()
    network(torch.rand(2, 3, 64, 64))[2].square().mean().backward()
    gradient = network.encoder.head.linear.weight.grad
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_geometry_is_float32_under_autocast(face_model):
    network = make(face_model)
    images = torch.rand(2, 3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vector, verts, landmarks = network(images)
    assert vector.dtype == verts.dtype == landmarks.dtype == torch.float32
    from mgc_lightning.coefficients import FaceCoefficients

    exact = network.decode(FaceCoefficients.from_vector(vector, network.layout))
    torch.testing.assert_close(verts, exact[0])
    torch.testing.assert_close(landmarks, exact[1])


def test_face_model_stays_out_of_the_state_dict(face_model):
    assert all(key.startswith("encoder.") for key in make(face_model).state_dict())


@pytest.mark.parametrize("backbone", [ResNet(18, width=8, normalise=False), OfficialResNet(18, width=8)])
def test_config_builds_the_same_network(face_model, backbone):
    encoder = Encoder(backbone, face_model.layout.total, spatial_channels=0)
    network = FaceNetwork(encoder, face_model, 96, focal=1000.0, output_scaling=OutputScaling.measured()).eval()
    config = json.loads(json.dumps(network.config))
    built = FaceNetwork.from_config(config).eval()
    built.load_state_dict(network.state_dict())
    assert built.config == network.config
    images = torch.rand(1, 3, 96, 96)
    for found, expected in zip(built(images), network(images), strict=True):
        assert torch.equal(found, expected)


def test_stored_networks_keep_the_main_pose_of_their_training(face_model):
    """Landmarks of a face model may move, and its main pose with them; predictions of its networks must not."""
    network = make(face_model)
    assert network.config["main_pose"] == face_model.main_pose.tolist()
    trained = FaceNetwork.from_config(network.config | {"main_pose": [0.0, 0.0, 3.1, 1.0, 2.0, 5000.0]}, face_model)
    torch.testing.assert_close(trained.main_pose[:5], torch.tensor([0.0, 0.0, 3.1, 1.0, 2.0]))
    silent = {key: value for key, value in network.config.items() if key != "main_pose"}
    earlier = FaceNetwork.from_config(silent, face_model)
    assert earlier.main_pose[5].item() == pytest.approx(5068.6943 * network.focal / 4700, rel=1e-6)
    assert earlier.main_pose[5] != network.main_pose[5]


def test_stored_networks_import_nothing_of_their_own(face_model):
    config = make(face_model).config
    config["encoder"]["backbone"] = {"class": "os.system", "init_args": {"command": "true"}}
    with pytest.raises(MGCError, match=r"`os.system`, which is not registered"):
        FaceNetwork.from_config(config, face_model)


def test_registered_backbone_of_a_user(face_model):
    @register_backbone
    class Mine(nn.Sequential):
        def __init__(self, width):
            super().__init__(nn.Conv2d(3, width, 8, stride=8))
            self.num_features, self.config = width, {"width": width}

    try:
        network = FaceNetwork(Encoder(Mine(4), face_model.layout.total), face_model, 32)
        assert FaceNetwork.from_config(network.config, face_model).encoder.backbone.num_features == 4
        record_init_args(network.encoder.backbone, None)
        del network.encoder.backbone.config
        with pytest.raises(MGCError, match="attribute `config`"):
            FaceNetwork.from_config(network.config, face_model)
    finally:
        del BACKBONES["Mine"]


def test_another_face_model_is_one_clear_error(face_model):
    config = make(face_model).config
    config["face_model"]["fingerprint"] = "0" * 64
    with pytest.raises(MGCError, match="trained with face model `makehuman`"):
        FaceNetwork.from_config(config, face_model)


def test_level_of_detail_may_differ_from_training(face_model):
    config = make(face_model).config
    fine = FaceNetwork.from_config(config, load_face_model("makehuman", level=1))
    assert fine(torch.rand(1, 3, 64, 64))[1].shape[1] > face_model.num_verts


@pytest.mark.parametrize("breakage", ["missing", "foreign", "newer", "arguments", "scales"])
def test_broken_descriptions(face_model, breakage):
    config = make(face_model).config
    if breakage == "missing":
        del config["focal"]
    elif breakage == "foreign":
        config = {"version": 1, "face_model": "none"}
    elif breakage == "newer":
        config["version"] = 99
    elif breakage == "arguments":
        config["encoder"]["backbone"]["init_args"] = {"depth": 19}
    else:
        config["output_scaling"]["jaw"] = 1.0
    with pytest.raises(MGCError):
        FaceNetwork.from_config(config, face_model)


def test_bad_shapes(face_model):
    with pytest.raises(MGCError, match=r"\(B, 3, 64, 64\), got \(1, 3, 96, 96\)"):
        make(face_model)(torch.rand(1, 3, 96, 96))
    with pytest.raises(MGCError, match="num_outputs="):
        FaceNetwork(Encoder(ResNet(18, width=8), 257), face_model)


def test_check_config_refuses_what_changes_the_meaning_of_weights(face_model):
    network = make(face_model)
    network.check_config(make(face_model, image_size=96, focal=1000.0).config)
    with pytest.raises(MGCError, match="output_scaling"):
        network.check_config(make(face_model, output_scaling=OutputScaling.measured()).config)
    wider = FaceNetwork(Encoder(ResNet(18, width=16), face_model.layout.total), face_model, 64)
    with pytest.raises(MGCError, match="encoder"):
        network.check_config(wider.config)
    with pytest.raises(MGCError, match="no description"):
        network.check_config(None)
    with pytest.raises(MGCError, match="incomplete"):
        network.check_config({})
    assert network.main_pose.shape == (6,)
