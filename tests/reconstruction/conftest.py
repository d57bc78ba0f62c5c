"""Fixtures of tests of inference."""

import pytest
import torch

# The packages are imported inside: `--check-types` instruments them after this file.


@pytest.fixture(scope="session")
def network_file(tmp_path_factory):
    from tiny_networks import make_network

    from mgc_lightning.networks.files import save_network

    return save_network(make_network(), tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    from tiny_networks import make_network

    from mgc_lightning.networks.export import export_network

    folder = tmp_path_factory.mktemp("exports")
    network = make_network()
    export_network(network, folder)
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "mgc_network_config": network.config}, folder / "best.ckpt")
    return folder


@pytest.fixture(scope="module")
def reconstructor():
    from tiny_networks import make_network

    from mgc_lightning.networks.predictor import Predictor
    from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

    return FaceReconstructor(Predictor.from_network(make_network()))


@pytest.fixture
def photo():
    return torch.rand(3, 30, 40).repeat_interleave(8, 1).repeat_interleave(8, 2)
