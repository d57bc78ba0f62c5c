"""The BN-free ResNet-50 with reproducible weights against the official TensorFlow graph."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mgc_lightning.encoders import official_encoder
from mgc_lightning.official.checkpoint import convert_tensors
from mgc_lightning.official.names import mgcnet_variables


def recipe(index, name, shape):
    """Draw the weights that the recorded run used: seeded by the variable's place in the list."""
    random = np.random.RandomState(1000 + index)
    if name.endswith("/biases"):
        return (random.randn(*shape) * 0.02).astype(np.float32)
    scale = np.sqrt(2.0 / np.prod(shape[:-1]))
    if any(part in name for part in ("conv3/", "shortcut/", "logits/")):
        scale *= 0.5
    return (random.randn(*shape) * scale).astype(np.float32)


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "mgcnet" / "09_network.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def encoder():
    variables = mgcnet_variables()
    tensors = {v.name: recipe(index, v.name, v.shape) for index, v in enumerate(variables)}
    encoder = official_encoder().eval()
    encoder.load_state_dict(convert_tensors(tensors, variables))
    return encoder


@pytest.fixture(scope="module")
def images(recorded):
    return torch.from_numpy(recorded["images"]).permute(0, 3, 1, 2).float() / 255


def test_names_and_shapes(golden):
    lines = (golden / "mgcnet" / "names.txt").read_text().splitlines()
    ours = [f"{v.name} [{', '.join(map(str, v.shape))}] trainable" for v in mgcnet_variables()]
    assert ours == lines


def test_recipe_gives_the_recorded_weights(golden):
    with np.load(golden / "mgcnet" / "09_weight_fingerprint.npz") as fingerprint:
        recorded_first = dict(zip(fingerprint["names"].tolist(), fingerprint["first"], strict=True))
    for index, variable in enumerate(mgcnet_variables()):
        first = recipe(index, variable.name, variable.shape).ravel()[:4]
        np.testing.assert_array_equal(first, recorded_first[variable.name])


@pytest.mark.parametrize("mode", ["coeff_inference", "coeff_trainmode_bn"])
def test_coefficients(encoder, images, recorded, mode):
    with torch.no_grad():
        ours = encoder.train(mode == "coeff_trainmode_bn")(images)
    np.testing.assert_allclose(ours.numpy(), recorded[mode], rtol=0, atol=1e-5)


def test_end_points(encoder, images, recorded):
    found = {}

    def keep(name):
        def hook(module, inputs, output):
            found[name] = output

        return hook

    backbone = encoder.backbone
    handles = [backbone.conv1.register_forward_hook(keep("conv1"))]
    for block in range(1, 5):
        for index, unit in enumerate(getattr(backbone, f"layer{block}"), start=1):
            scope = f"block{block}.unit_{index}.bottleneck_v1"
            handles.append(unit.register_forward_hook(keep(scope)))
            parts = {part: getattr(unit, part) for part in ("conv1", "conv2", "conv3")}
            handles += [module.register_forward_hook(keep(f"{scope}.{part}")) for part, module in parts.items()]
            if unit.downsample is not None:
                handles.append(unit.downsample.register_forward_hook(keep(f"{scope}.shortcut")))
    with torch.no_grad():
        encoder(images)
    for handle in handles:
        handle.remove()

    names = {key.removeprefix("ep_") for key in recorded if key.startswith("ep_")}
    blocks = {f"block{block}" for block in range(1, 5)}
    assert names == set(found) | blocks
    for name in names - blocks:
        # The graph's end points of conv1 and conv2 are after their activation.
        activated = name.endswith("conv1") or name.endswith("conv2")
        value = F.relu(found[name]) if activated else found[name]
        ours = value.mean((2, 3))[:, :64].numpy()
        np.testing.assert_allclose(ours, recorded[f"ep_{name}"], rtol=1e-5, atol=1e-5, err_msg=name)
