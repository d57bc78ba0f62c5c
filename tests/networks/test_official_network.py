from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

from owner_files import tiny_face, write_bfm09_deep3d

from mgc_lightning.encoders import official_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.importing import import_face_model
from mgc_lightning.files.weights import save_official
from mgc_lightning.networks.files import load_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("official") / "mgcnet_official.safetensors"
    encoder = official_encoder()
    torch.nn.init.normal_(encoder.head.linear.bias, std=0.1)
    save_official(encoder.state_dict(), path, {"network": "mgcnet"})
    return path, encoder.eval()


def wide(face):
    """Give the face as many directions as the official program uses."""
    repeat = lambda basis, count: np.resize(basis, (count, *basis.shape[1:]))  # noqa: E731
    return replace(
        face,
        identity=repeat(face.identity, 80),
        expression=repeat(face.expression, 64),
        albedo=repeat(face.albedo, 80),
    )


def test_official_weights_are_a_network(weights, tmp_path):
    path, encoder = weights
    face = wide(tiny_face())
    import_face_model("bfm09-deep3d", write_bfm09_deep3d(tmp_path / "a.mat", face), name="bfm09")
    network = load_network(path)
    assert network.face_model.name == "bfm09@official"
    np.testing.assert_array_equal(network.face_model.landmarks68_index[:, 0], face.landmarks + 1)
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        raw = encoder(images)
        found = network.coefficients(images)
    torch.testing.assert_close(found.identity, raw[:, :80])
    torch.testing.assert_close(found.albedo, raw[:, 80:160])
    torch.testing.assert_close(found.expression, raw[:, 160:224])
    main = torch.tensor([0, 0, 3.141593, 0.17440447, 9.1053238, 4994.3359])
    torch.testing.assert_close(found.pose, raw[:, 224:230] + main)
    ambient = torch.zeros(27)
    ambient[::9] = 0.8
    torch.testing.assert_close(found.light, raw[:, 230:] + ambient)


def test_missing_bfm_says_how_to_get_it(weights):
    with pytest.raises(MGCError, match="mgc face-model import bfm09"):
        load_network(weights[0])


def test_other_face_models_do_not_fit(weights):
    with pytest.raises(MGCError, match="257"):
        load_network(weights[0], face_model="makehuman")
