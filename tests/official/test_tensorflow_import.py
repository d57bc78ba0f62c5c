"""Real TensorFlow-1 checkpoints, written by TensorFlow's own saver under the official names."""

import numpy as np
import pytest
import torch

from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.cli import COMMANDS, load
from mgc_lightning.encoders import OfficialResNet, official_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import load_weights, read_official
from mgc_lightning.official.initialise import initialise_backbone
from mgc_lightning.official.names import facenet_variables, imagenet_variables, mgcnet_variables
from mgc_lightning.recognisers import FaceNet, InceptionResnetV1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tensorflow():
    return pytest.importorskip("tensorflow", reason="the extra `tensorflow` is not installed")


def recipe(index, name, shape):
    """Draw the weights that the recorded run used: seeded by the variable's place in the list."""
    random = np.random.RandomState(1000 + index)
    leaf = name.split("/")[-1]
    if leaf == "weights":
        scale = np.sqrt(2.0 / np.prod(shape[:-1]))
        halved = any(part in name for part in ("conv3/", "shortcut/")) or name.endswith("logits/weights")
        return (random.randn(*shape) * scale * (0.5 if halved else 1)).astype(np.float32)
    if leaf in ("moving_variance", "gamma"):
        return random.uniform(0.8, 1.2, shape).astype(np.float32)
    return (random.randn(*shape) * (0.05 if leaf == "moving_mean" else 0.02)).astype(np.float32)


def write_checkpoint(tensorflow, folder, variables, training=False, version=2):
    """Save variables, with what training leaves beside them, by a TF-1 session."""
    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default(), tf1.Session() as session:
        for index, v in enumerate(variables):
            value = tf1.get_variable(v.name, initializer=recipe(index, v.name, v.shape), use_resource=False)
            if training and index < 10:
                tf1.get_variable(f"{v.name}/Adam", initializer=tf1.zeros_like(value), use_resource=False)
        if training:
            tf1.get_variable("beta1_power", initializer=0.9, use_resource=False)
            tf1.train.get_or_create_global_step()
        session.run(tf1.global_variables_initializer())
        # Version 1, a single file, is how slim published its ImageNet networks.
        return tf1.train.Saver(write_version=version).save(session, str(folder / "model"), global_step=400_000)


def run(*arguments):
    command = CommandParser(load(COMMANDS["import-official"]), "mgc import-official")
    return command.run([str(argument) for argument in arguments])


def test_mgcnet_checkpoint_gives_the_recorded_outputs(tensorflow, tmp_path, request):
    prefix = write_checkpoint(tensorflow, tmp_path, mgcnet_variables(), training=True)
    output = tmp_path / "mgcnet.safetensors"
    assert run("--checkpoint", prefix, "--output", output) == 0
    encoder = official_encoder()
    network, state = read_official(output, "mgcnet")
    assert (network, len(state)) == ("mgcnet", 108)
    load_weights(encoder, state, output)
    golden = request.getfixturevalue("golden")
    with np.load(golden / "mgcnet" / "09_network.npz") as recorded:
        images = torch.from_numpy(recorded["images"]).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            ours = encoder(images).numpy()
        np.testing.assert_allclose(ours, recorded["coeff_inference"], rtol=0, atol=1e-5)


def test_wrong_and_damaged_checkpoints_are_refused(tensorflow, tmp_path):
    prefix = write_checkpoint(tensorflow, tmp_path, imagenet_variables())
    output = tmp_path / "out.safetensors"
    with pytest.raises(MGCError, match="ImageNet ResNet-50"):
        run("--checkpoint", prefix, "--output", output)
    assert run("--checkpoint", prefix, "--output", output, "--network", "imagenet") == 0
    output.unlink()

    shard = tmp_path / "model-400000.data-00000-of-00001"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MGCError, match="cannot be read as a TensorFlow checkpoint"):
        run("--checkpoint", prefix, "--output", output, "--network", "imagenet")
    shard.unlink()
    with pytest.raises(MGCError, match=r"model-400000\.data-00000-of-00001 is missing"):
        run("--checkpoint", prefix, "--output", output, "--network", "imagenet")
    assert not output.exists()


def test_single_file_format_of_the_imagenet_network(tensorflow, tmp_path):
    prefix = write_checkpoint(tensorflow, tmp_path, imagenet_variables(), version=1)
    output = tmp_path / "imagenet.safetensors"
    assert run("--checkpoint", prefix, "--output", output, "--network", "imagenet") == 0
    backbone = OfficialResNet(50)
    initialise_backbone(backbone, output)
    assert torch.isfinite(backbone(torch.rand(1, 3, 64, 64))).all()


def test_facenet_checkpoint_converts(tensorflow, tmp_path):
    prefix = write_checkpoint(tensorflow, tmp_path, facenet_variables(InceptionResnetV1()))
    output = tmp_path / "facenet.safetensors"
    assert run("--checkpoint", prefix, "--output", output, "--network", "facenet") == 0
    embedding = FaceNet(output)(torch.rand(1, 3, 96, 96))
    assert float(embedding.norm()) == pytest.approx(1)
