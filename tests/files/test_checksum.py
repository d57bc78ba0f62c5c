"""Damage does not pass unseen: one flipped bit in any file that has a checksum is told."""

import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
from triplet_sets import write_set

from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model, load_network, save_network
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model_data
from mgc_lightning.face_models.storage import read_face_model, save_face_model
from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.files.checksum import CHECKSUM_KEY, check_archive, seal
from mgc_lightning.files.weights import read_metadata, read_tensors, write_tensors
from mgc_lightning.networks.export import export_network
from mgc_lightning.networks.predictor import load_predictor
from mgc_lightning.networks.shipped import shipped_network
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.triplets.shards import ShardSet


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = load_face_model()
    return FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total, 8), model, image_size=32).eval()


def flips(path, count, seed=0):
    """Flip a bit at a time anywhere in a file; give the file back as it was."""
    data, rng = path.read_bytes(), np.random.default_rng(seed)
    for place in rng.integers(0, len(data), count):
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        yield place
    path.write_bytes(data)


def unseen(path, read, same, count):
    """Count the flips that are read as something else, without a word."""
    found = []
    for place in flips(path, count):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = read(path)
        except MGCError:
            continue
        if not same(value):
            found.append(place)
    return found


def test_a_flipped_bit_in_a_checkpoint_is_told(tmp_path):
    state = {f"layer{n}.weight": torch.randn(40, 25) for n in range(4)}
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": state, "global_step": 3, "lr": 0.1}, path)

    def same(value):
        found = value["state_dict"]
        equal = [torch.equal(found.get(key, torch.empty(0)), tensor) for key, tensor in state.items()]
        return value["global_step"] == 3 and value["lr"] == 0.1 and all(equal)

    assert same(read_checkpoint(path))
    assert unseen(path, read_checkpoint, same, 250) == []


def test_a_flipped_bit_in_safetensors_is_told(tmp_path):
    state = {f"layer{n}.weight": torch.randn(10, 25) for n in range(4)} | {"half": torch.ones(3).bfloat16()}
    path = tmp_path / "a.safetensors"
    write_tensors(path, state, {"about": "x" * 100})

    def same(value):
        metadata, tensors = value
        return metadata["about"] == "x" * 100 and tensors.keys() == state.keys() and all(
            torch.equal(tensors[key], tensor) for key, tensor in state.items())  # fmt: skip

    assert same(read_tensors(path))
    assert unseen(path, read_tensors, same, 250) == []


def test_a_flipped_bit_in_exports_is_told(tmp_path, network):
    export_network(network, tmp_path, ["onnx", "safetensors"])
    images = torch.rand(1, 3, 32, 32)
    expected = network.predict_vector(images).detach()
    for name in ("network.onnx", "network.safetensors"):

        def read(path):
            return load_predictor(path).coefficients(images).to_vector()

        def same(value):
            return torch.allclose(value, expected, atol=1e-4)

        assert same(read(tmp_path / name))
        assert unseen(tmp_path / name, read, same, 30) == []


def test_a_flipped_bit_in_a_face_model_is_told(tmp_path):
    data = load_face_model_data()
    for suffix, count in (("safetensors", 40), ("npz", 20)):
        path = save_face_model(data, tmp_path / f"m.{suffix}")
        before = read_face_model(path).fingerprint()
        assert unseen(path, read_face_model, lambda value: value.fingerprint() == before, count) == []  # noqa: B023


def test_a_flipped_bit_in_a_local_shard_is_told(tmp_path):
    write_set(tmp_path, make_triplets(load_face_model(), 2, image_size=32), train=2)
    path, whole = tmp_path / "train-000000.tar", ShardSet(tmp_path, "train")

    def read(_):
        samples = ShardSet(tmp_path, "train")
        return [samples[0].images, samples[1].images]

    def same(value):
        return all(torch.equal(value[index], whole[index].images) for index in (0, 1))

    expected = [whole[0].images, whole[1].images]
    assert unseen(path, read, lambda value: all(map(torch.equal, value, expected)), 60) == []
    assert same(read(path))


def test_a_shard_is_hashed_once_by_a_process(tmp_path, monkeypatch):
    from mgc_lightning.triplets import shards

    write_set(tmp_path, make_triplets(load_face_model(), 3, image_size=32), train=3)
    hashed = []
    monkeypatch.setattr(shards, "sha256_of", lambda path, f=shards.sha256_of: (hashed.append(path.name), f(path))[1])
    samples = ShardSet(tmp_path, "train")
    for _ in range(2):
        for index in range(3):
            samples[index]
    assert hashed == ["train-000000.tar"]


def test_files_without_a_checksum_are_read(tmp_path, network):
    path = save_network(network, tmp_path / "network.safetensors")
    assert CHECKSUM_KEY in read_metadata(path)
    metadata, tensors = read_tensors(path)
    from safetensors.torch import save_file

    metadata.pop(CHECKSUM_KEY)
    save_file(tensors, path, metadata)
    assert torch.equal(load_network(path).encoder.head.linear.weight, network.encoder.head.linear.weight)


def test_a_card_vouches_for_what_lies_beside_it(tmp_path):
    source = shipped_network()
    for name in ("network.safetensors", "card.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    load_predictor(tmp_path)
    data = bytearray((tmp_path / "network.safetensors").read_bytes())
    data[-1000] ^= 1
    (tmp_path / "network.safetensors").write_bytes(data)
    with pytest.raises(MGCError, match=r"not what card\.json beside it says"):
        load_predictor(tmp_path)


def test_an_archive_that_unpacks_itself_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    with pytest.raises(MGCError, match="not as torch writes it"):
        check_archive(tmp_path / "bomb.ckpt")


def test_the_seal_of_onnx_is_metadata_to_others(tmp_path):
    import onnx

    model = onnx.helper.make_model(onnx.helper.make_graph([], "nothing", [], []))
    sealed = seal(model.SerializeToString())
    read = onnx.load_from_string(sealed)
    (entry,) = read.metadata_props
    assert entry.key == CHECKSUM_KEY
    assert len(entry.value) == 64
    assert json.dumps(entry.value)
