import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import save_official
from mgc_lightning.losses.identity import IdentityLoss
from mgc_lightning.official.checkpoint import convert_facenet
from mgc_lightning.official.names import facenet_variables
from mgc_lightning.recognisers import FaceNet, InceptionResnetV1


@pytest.fixture(scope="module")
def variables():
    return facenet_variables(InceptionResnetV1())


@pytest.fixture(scope="module")
def weights(variables, tmp_path_factory):
    random = np.random.default_rng(0)
    arrays = {}
    for v in variables:
        if v.name.endswith("moving_variance"):
            arrays[v.name] = random.uniform(0.8, 1.2, v.shape).astype(np.float32)
        else:
            scale = np.sqrt(2 / np.prod(v.shape[:-1])) if v.name.endswith("weights") else 0.05
            arrays[v.name] = (scale * random.standard_normal(v.shape)).astype(np.float32)
    path = tmp_path_factory.mktemp("facenet") / "facenet.safetensors"
    save_official(convert_facenet(arrays), path, {"network": "facenet"})
    return path


def test_names_are_the_checkpoints(golden, variables):
    lines = (golden / "mgcnet" / "names_facenet.txt").read_text().splitlines()
    assert [f"{v.name} [{', '.join(map(str, v.shape))}]" for v in variables] == lines


def test_every_tensor_has_its_variable(variables):
    state = InceptionResnetV1().state_dict()
    keys = {v.key for v in variables}
    assert len(keys) == len(variables) == 490
    assert keys <= set(state)
    rest = {key for key in state if key not in keys}
    assert all(key.endswith(("norm.weight", "num_batches_tracked")) for key in rest)


@pytest.mark.parametrize("size", [96, 160, 224])
def test_embeddings_are_unit_vectors(weights, size):
    recogniser = FaceNet(weights)
    with torch.no_grad():
        embeddings = recogniser(torch.rand(2, 3, size, size))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    assert embeddings.shape == (2, 512)


def test_map_sizes_at_160_px(weights):
    recogniser, sizes = FaceNet(weights), []
    for module in (recogniser.stem, recogniser.reduction_a, recogniser.reduction_b):
        target = module[-1] if isinstance(module, torch.nn.Sequential) else module
        target.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    with torch.no_grad():
        recogniser(torch.rand(1, 3, 160, 160))
    assert sizes == [(256, 17, 17), (896, 8, 8), (1792, 3, 3)]


def test_frozen_but_differentiable_for_images(weights):
    loss = IdentityLoss(FaceNet(weights), crop_size=96)
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    crops = torch.rand(1, 3, 96, 96, requires_grad=True)
    loss.recogniser(crops)[0, 0].backward()
    assert crops.grad.isfinite().all()
    assert crops.grad.abs().sum() > 0


def test_incomplete_files_are_refused(tmp_path):
    path = tmp_path / "facenet.safetensors"
    save_official({"bottleneck.norm.bias": torch.zeros(512)}, path, {"network": "facenet"})
    with pytest.raises(MGCError, match="lacks .* tensors of the recogniser"):
        FaceNet(path)
