"""Networks travel through files unchanged; damaged and foreign files give one clear error."""

import json
import resource

import pytest
import safetensors.torch
import torch

from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork, OutputScaling
from mgc_lightning.networks.files import load_network, save_network


@pytest.fixture
def network():
    model = load_face_model("makehuman", level=0)
    encoder = Encoder(ResNet(18, width=8), model.layout.total)
    return FaceNetwork(encoder, model, 64, focal=1000.0, output_scaling=OutputScaling.measured()).eval()


def write_checkpoint(network, path, **changes):
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    content = {
        "state_dict": state | {"objective.something": torch.ones(3)},
        "epoch": 1,
        NETWORK_KEY: network.config,
    } | changes
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


def same(a, b):
    images = torch.rand(2, 3, 64, 64)
    return all(torch.equal(x, y) for x, y in zip(a(images), b(images), strict=True))


def test_safetensors_round_trip(tmp_path, network):
    path = save_network(network, tmp_path / "a b" / "network.safetensors")
    found = load_network(path)
    assert same(found, network)
    assert not found.training
    assert found.config == network.config
    assert same(load_network(path.parent), network)


def test_checkpoint_round_trip(tmp_path, network):
    assert same(load_network(write_checkpoint(network, tmp_path / "best.ckpt")), network)


def test_other_level_and_given_face_model(tmp_path, network):
    path = save_network(network, tmp_path / "network.safetensors")
    assert load_network(path, level=1).face_model.level == 1
    model = load_face_model("makehuman", level=1)
    assert load_network(path, face_model=model).face_model is model
    assert load_network(path, face_model="makehuman").face_model.level == 0
    with pytest.raises(MGCError, match="No face model `bfm`"):
        load_network(path, face_model="bfm")


def test_face_model_of_another_geometry(tmp_path, network):
    config = json.loads(json.dumps(network.config))
    config["face_model"]["fingerprint"] = "f" * 64
    path = write_checkpoint(network, tmp_path / "a.ckpt", **{NETWORK_KEY: config})
    with pytest.raises(MGCError, match=r"a\.ckpt: The network was trained with face model"):
        load_network(path)


def test_damaged_and_foreign_files(tmp_path, network):
    path = save_network(network, tmp_path / "network.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MGCError, match="not a safetensors file, or damaged"):
        load_network(path)
    path.write_bytes(b"")
    with pytest.raises(MGCError, match="not a safetensors file"):
        load_network(path)
    safetensors.torch.save_file({"a": torch.ones(1)}, path)
    with pytest.raises(MGCError, match=f"no `{NETWORK_KEY}`"):
        load_network(path)
    with pytest.raises(MGCError, match=f"no `{NETWORK_KEY}`"):
        load_network(write_checkpoint(network, tmp_path / "a.ckpt", **{NETWORK_KEY: None}))
    with pytest.raises(MGCError, match="no such checkpoint"):
        load_network(tmp_path / "nowhere.ckpt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MGCError, match="no network here"):
        load_network(tmp_path / "empty")
    (tmp_path / "a.onnx").write_bytes(b"onnx")
    with pytest.raises(MGCError, match=r"got '\.onnx'"):
        load_network(tmp_path / "a.onnx")


def test_weights_that_do_not_fit(tmp_path, network):
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    state.popitem()
    with pytest.raises(MGCError, match="do not fit the network: Missing key"):
        load_network(write_checkpoint(network, tmp_path / "a.ckpt", state_dict=state))


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_nothing_is_executed(tmp_path, network, capsys):
    path = write_checkpoint(network, tmp_path / "evil.ckpt", evil=Evil())
    with pytest.raises(MGCError):
        load_network(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("image_size", "x"), ("image_size", 10**9), ("main_pose", ["x"] * 6)])
def test_a_description_of_nonsense_is_one_message(network, key, value):
    with pytest.raises(MGCError, match="stored (network's image_size|description)"):
        FaceNetwork.from_config(network.config | {key: value})


@pytest.mark.parametrize(
    ("part", "change"),
    [("backbone", {"width": 4_000}), ("head", {"spatial_size": 100_000}), ("head", {"spatial_channels": 2**40})],
)
def test_a_small_file_does_not_get_the_memory_that_it_asks_for(tmp_path, network, part, change):
    config = json.loads(json.dumps(network.config))
    (config["encoder"]["backbone"]["init_args"] if part == "backbone" else config["encoder"]).update(change)
    path = write_checkpoint(network, tmp_path / "a.ckpt", **{NETWORK_KEY: config})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MGCError, match=r"a\.ckpt: .*cannot be built from .* numbers, where \d+ are allowed"):
        load_network(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB; the smallest asks for terabytes


def test_what_nobody_can_load_is_told_when_it_is_saved(tmp_path, caplog):
    class Own(torch.nn.Sequential):
        num_features = 8

    model = load_face_model("makehuman", level=0)
    network = FaceNetwork(Encoder(Own(torch.nn.Conv2d(3, 8, 9, 9)), model.layout.total), model, 64)
    save_network(network, tmp_path / "own.safetensors")
    assert "no program can build the backbone" in caplog.text
    assert "Own" in caplog.text
    with pytest.raises(MGCError, match="not registered.*network.onnx beside it, needs no class"):
        load_network(tmp_path / "own.safetensors")
