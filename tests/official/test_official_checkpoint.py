import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mgc_lightning.encoders import OfficialResNet, ResNet, official_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import load_weights, read_official, save_official
from mgc_lightning.official.checkpoint import convert_facenet, convert_imagenet, convert_mgcnet
from mgc_lightning.official.initialise import SLIM_MEANS, initialise_backbone
from mgc_lightning.official.names import imagenet_variables, mgcnet_variables
from mgc_lightning.official.tf_checkpoint import TensorFlowCheckpoint, checkpoint_files, find_prefix


def arrays(variables, seed=0):
    """Draw TensorFlow arrays; variances positive."""
    random = np.random.default_rng(seed)
    return {
        v.name: random.uniform(0.5, 1.5, v.shape).astype(np.float32)
        if v.name.endswith(("variance", "gamma"))
        else (0.05 * random.standard_normal(v.shape)).astype(np.float32)
        for v in variables
    }


def load_encoder(path):
    encoder = official_encoder()
    load_weights(encoder, read_official(path, "mgcnet")[1], path)
    return encoder


@pytest.fixture(scope="module")
def mgcnet():
    return arrays(mgcnet_variables())


@pytest.fixture(scope="module")
def imagenet():
    return arrays(imagenet_variables())


def test_there_are_108_tensors_of_24_million_numbers():
    variables = mgcnet_variables()
    assert len(variables) == 108
    assert sum(int(np.prod(v.shape)) for v in variables) == 24_008_065
    shapes = {key: tuple(value.shape) for key, value in official_encoder().state_dict().items()}
    assert set(shapes) == {v.key for v in variables}


def test_optimiser_slots_and_other_networks_are_left_out(mgcnet, tmp_path):
    extra = {f"{name}/Adam": value for name, value in mgcnet.items()}
    extra |= {"beta1_power": np.float32(0.9), "global_step": np.int64(400_000)}
    extra |= {"InceptionResnetV1/Conv2d_1a_3x3/weights": np.zeros((3, 3, 3, 32), np.float32)}
    state = convert_mgcnet(mgcnet | extra)
    assert len(state) == 108
    path = tmp_path / "official.safetensors"
    save_official(state, path, {"network": "mgcnet"})
    encoder = load_encoder(path)
    kernel = mgcnet["resnet_v1_50/block2/unit_1/bottleneck_v1/conv2/weights"]
    ours = encoder.backbone.layer2[0].conv2.weight.detach().numpy()
    np.testing.assert_array_equal(ours[5, 7], kernel[:, :, 7, 5])
    logits = mgcnet["resnet_v1_50/logits/weights"]
    np.testing.assert_array_equal(encoder.head.linear.weight.detach().numpy(), logits[0, 0].T)


def test_imagenet_file_is_refused_as_mgcnet(imagenet):
    with pytest.raises(MGCError, match="batch norm.*`network=imagenet`"):
        convert_mgcnet(imagenet)


def test_other_files_are_refused_with_what_they_hold(mgcnet):
    with pytest.raises(MGCError, match="not a checkpoint of MGCNet.*vgg/conv1"):
        convert_mgcnet({"vgg/conv1": np.zeros(3)})
    with pytest.raises(MGCError, match="not FaceNet"):
        convert_facenet(mgcnet)
    with pytest.raises(MGCError, match="not slim's ImageNet"):
        convert_imagenet(mgcnet)


def test_missing_and_misshapen_variables_are_named(mgcnet):
    name = "resnet_v1_50/block3/unit_6/bottleneck_v1/conv1/biases"
    without = {key: value for key, value in mgcnet.items() if key != name}
    with pytest.raises(MGCError, match=f"lacks 1 of 108 variables, the first `{name}`"):
        convert_mgcnet(without)
    with pytest.raises(MGCError, match=rf"expected `{name}` of shape \(256,\), got \(255,\)"):
        convert_mgcnet(mgcnet | {name: np.zeros(255, np.float32)})
    with pytest.raises(MGCError, match="not finite"):
        convert_mgcnet(mgcnet | {name: np.full(256, np.nan, np.float32)})


def test_batch_norm_folds_into_the_convolution(imagenet):
    state = convert_imagenet(imagenet)
    assert set(state) == {f"backbone.{key}" for key in OfficialResNet(50).state_dict()}
    scope, prefix = "resnet_v1_50/block1/unit_2/bottleneck_v1/conv2", "backbone.layer1.1.conv2"
    parts = {
        part: torch.from_numpy(imagenet[f"{scope}/BatchNorm/{part}"])
        for part in ("moving_mean", "moving_variance", "gamma", "beta")
    }
    weight = torch.from_numpy(imagenet[f"{scope}/weights"]).permute(3, 2, 0, 1)
    x = torch.randn(2, 64, 9, 9)
    mean, variance, gamma, beta = parts.values()
    expected = F.batch_norm(F.conv2d(x, weight, padding=1), mean, variance, gamma, beta, eps=1e-5)
    ours = F.conv2d(x, state[f"{prefix}.weight"], state[f"{prefix}.bias"], padding=1)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_backbone_starts_from_imagenet_and_sees_its_colours(imagenet, tmp_path):
    path = tmp_path / "imagenet.safetensors"
    state = convert_imagenet(imagenet)
    save_official(state, path, {"network": "imagenet"})
    backbone = OfficialResNet(50)
    initialise_backbone(backbone, path)
    images = torch.rand(1, 3, 20, 20)
    ours = F.conv2d(images, backbone.conv1.weight, backbone.conv1.bias, stride=2)
    slim = 255 * images - torch.tensor(SLIM_MEANS).view(3, 1, 1)
    expected = F.conv2d(slim, state["backbone.conv1.weight"], state["backbone.conv1.bias"], stride=2)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(backbone.layer4[2].conv3.weight, state["backbone.layer4.2.conv3.weight"])


def test_backbone_starts_from_mgcnets_trunk(mgcnet, tmp_path):
    path = tmp_path / "mgcnet.safetensors"
    save_official(convert_mgcnet(mgcnet), path, {"network": "mgcnet"})
    backbone = OfficialResNet(50)
    initialise_backbone(backbone, path)
    torch.testing.assert_close(backbone.state_dict(), load_encoder(path).backbone.state_dict())


def test_wrong_backbones_and_files_are_refused(mgcnet, tmp_path):
    path = tmp_path / "mgcnet.safetensors"
    save_official({"backbone.conv1.bias": torch.zeros(64)}, path, {"network": "mgcnet"})
    with pytest.raises(MGCError, match="OfficialResNet of depth 50"):
        initialise_backbone(ResNet(50, width=8), path)
    with pytest.raises(MGCError, match=r"mgcnet.safetensors: the weights do not fit the network: Missing"):
        load_encoder(path)
    with pytest.raises(MGCError, match=r"`facenet` network but mgcnet.*import-official --network facenet"):
        read_official(path, "facenet")
    facenet = tmp_path / "facenet.safetensors"
    save_official({"bottleneck.norm.bias": torch.zeros(512)}, facenet, {"network": "facenet"})
    with pytest.raises(MGCError, match="`imagenet` or `mgcnet` network but facenet"):
        initialise_backbone(OfficialResNet(50), facenet)
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:100])
    with pytest.raises(MGCError, match="not a safetensors file, or damaged"):
        load_encoder(tmp_path / "cut.safetensors")
    with pytest.raises(MGCError, match="not a safetensors file, or damaged"):
        load_encoder(tmp_path / "absent.safetensors")


def test_a_checkpoint_is_found_by_any_of_its_files(tmp_path):
    names = ["model-7.index", "model-7.meta", "model-7.data-00000-of-00002", "model-7.data-00001-of-00002"]
    for name in names:
        (tmp_path / name).touch()
    for name in (*names, "model-7", "."):
        assert find_prefix(tmp_path / name) == tmp_path / "model-7"
    assert [file.name for file in checkpoint_files(tmp_path / "model-7")] == [names[0], *names[2:]]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(MGCError, match="no such file"):
        checkpoint_files(tmp_path / "model-400000")
    (tmp_path / "model-1.index").touch()
    with pytest.raises(MGCError, match=r"model-1\.data-00000-of-00001 is missing"):
        checkpoint_files(tmp_path / "model-1")
    (tmp_path / "model-1.data-00000-of-00002").touch()
    with pytest.raises(MGCError, match=r"model-1\.data-00001-of-00002 is missing"):
        checkpoint_files(tmp_path / "model-1")
    (tmp_path / "model-1.data-00001-of-00002").mkdir()
    with pytest.raises(MGCError, match=r"model-1\.data-00001-of-00002 is missing"):
        checkpoint_files(tmp_path / "model-1")
    (tmp_path / "model-1.index").unlink()
    with pytest.raises(MGCError, match=r"model-1\.index is missing beside its shards"):
        checkpoint_files(tmp_path / "model-1")
    (tmp_path / "a.index").touch()
    (tmp_path / "b.index").touch()
    with pytest.raises(MGCError, match="found a, b"):
        find_prefix(tmp_path)


def test_missing_tensorflow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    (tmp_path / "model-1.index").touch()
    (tmp_path / "model-1.data-00000-of-00001").touch()
    with pytest.raises(MGCError, match=r"mgc-lightning\[tensorflow\]"):
        TensorFlowCheckpoint(tmp_path / "model-1")
