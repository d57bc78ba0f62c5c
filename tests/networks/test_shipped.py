"""The network of the package: packed at half its size, found by name, used where no checkpoint is given."""

import hashlib
import json
import sys
import types

import onnx
import pytest
import safetensors.torch
import torch
from tiny_networks import ROLLED, SIZE, make_network

from mgc_lightning.cli import main
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks import packing, shipped
from mgc_lightning.networks.export import export_network
from mgc_lightning.networks.export_formats import onnx_runner
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.files import load_network
from mgc_lightning.networks.packing import pack_network
from mgc_lightning.networks.predictor import as_predictor, load_predictor
from mgc_lightning.networks.pretrained import pretrained_weights
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

CARD = {
    "name": "mgc-small",
    "licence": "Apache-2.0",
    "scores": [{"what": "neutral error, mm", "on": "512 faces", "network": 1.4, "mean_face": 2.3}],
}


def run(*arguments):
    with pytest.raises(SystemExit) as status:
        main([str(argument) for argument in arguments])
    return status.value.code


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A network as the package has it, in a folder of its own."""
    torch.manual_seed(2)
    model = load_face_model()
    encoder = Encoder(ResNet(18, width=16), model.layout.total, head_std=0.05)
    network = FaceNetwork(encoder, model, SIZE).eval()
    folder = tmp_path_factory.mktemp("data")
    return network, pack_network(network, folder / shipped.DEFAULT, CARD)


@pytest.fixture
def installed(packed, monkeypatch):
    network, report = packed
    monkeypatch.setattr(shipped, "FOLDER", report.folder.parent)
    return network, report.folder


@pytest.fixture
def missing(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "no data")


def test_packed_is_half_as_large_and_nearly_the_same(packed, tmp_path):
    network, report = packed
    whole = export_network(network, tmp_path, ["onnx", "safetensors"])
    sizes = {file.path.name: file.path.stat().st_size for file in whole.files}
    small = {name: (report.folder / name).stat().st_size for name in sizes}
    assert small["network.safetensors"] < 0.6 * sizes["network.safetensors"]
    # Its weights are those of the other file: what it has itself is the face model's geometry.
    assert small["network.onnx"] < 0.6 * (sizes["network.onnx"] - small["network.safetensors"])
    assert report.megabytes == pytest.approx(sum(small.values()) / 1e6)
    for found in report.differences.values():
        assert 0 < found["verts"] < 0.02
        assert 0 < found["landmarks"] < 0.02
    assert "differs from float32 by" in str(report)


def test_float16_in_the_file_float32_in_the_network(packed):
    network, report = packed
    stored = safetensors.torch.load_file(report.folder / "network.safetensors")
    halves = {key for key, value in stored.items() if value.dtype == torch.float16}
    assert halves == {key for key, value in network.state_dict().items() if value.numel() >= packing.HALVED_FROM}
    assert halves
    loaded = load_network(report.folder)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for key, value in loaded.state_dict().items():
        expected = network.state_dict()[key]
        torch.testing.assert_close(value, expected.half().float() if key in halves else expected, rtol=0, atol=0)


def test_onnx_runs_beside_its_weights_and_names_no_path_of_this_machine(packed, tmp_path):
    network, report = packed
    images = torch.rand(3, 3, SIZE, SIZE)
    onnx.checker.check_model(report.folder / "network.onnx")
    for found, expected in zip(onnx_runner(report.folder / "network.onnx")(images), network(images), strict=True):
        torch.testing.assert_close(found, expected, atol=0.02, rtol=1e-3)
    content = (report.folder / "network.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content
    predictor = load_predictor(report.folder / "network.onnx")
    torch.testing.assert_close(predictor.vector(images), network.predict_vector(images), atol=0.02, rtol=1e-3)
    (tmp_path / "network.onnx").write_bytes(content)  # alone, it says what is missing
    with pytest.raises(MGCError, match=r"network\.safetensors"):
        load_predictor(tmp_path / "network.onnx")


def test_the_card_says_what_is_in_the_folder(packed):
    network, report = packed
    card = json.loads((report.folder / "card.json").read_text())
    assert card["scores"] == CARD["scores"]
    assert card["image_size"] == SIZE
    assert card["face_model"]["name"] == "makehuman"
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    for name, digest in card["sha256"].items():
        assert hashlib.sha256((report.folder / name).read_bytes()).hexdigest() == digest
    assert json.loads((report.folder / "network.json").read_text())["image_size"] == SIZE


def test_weights_that_float16_cannot_hold(tmp_path):
    network = make_network()
    with torch.no_grad():
        network.encoder.head.linear.weight.mul_(1e9)
    with pytest.raises(MGCError, match=r"`encoder\.head\.linear\.weight` has values up to .* float16 cannot hold"):
        pack_network(network, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_checkpoint_is_the_network_of_the_package(installed):
    network, folder = installed
    images = torch.rand(2, 3, SIZE, SIZE)
    expected = load_network(folder).predict_vector(images)
    for predictor in (load_predictor(), as_predictor(), as_predictor("mgc-small"), load_predictor(None, level=0)):
        assert torch.equal(predictor.vector(images), expected)
    assert torch.equal(load_network().predict_vector(images), expected)
    torch.testing.assert_close(expected, network.predict_vector(images), atol=0.02, rtol=1e-3)


def test_from_pretrained(installed, tmp_path, photo_image):
    _, folder = installed
    with torch.no_grad():
        faces = [
            FaceReconstructor.from_pretrained(source).reconstruct(photo_image, landmarks=ROLLED)
            for source in (None, "mgc-small", folder, str(folder / "network.safetensors"))
        ]
    for face in faces[1:]:
        assert torch.equal(face.mesh.verts, faces[0].mesh.verts)
    assert FaceReconstructor.from_pretrained().detector == "auto"
    with pytest.raises(MGCError, match=r"runs/none\.ckpt: no such file or folder, and no network of the package"):
        FaceReconstructor.from_pretrained("runs/none.ckpt")
    with pytest.raises(MGCError, match="no such file or folder"):
        FaceReconstructor.from_pretrained("mgc-smal")
    # Checkpoints and programs are for `load`: nothing of these is opened.
    for name in ("best.ckpt", "network.pt2"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n")
        with pytest.raises(MGCError, match=r"expected network\.safetensors, .* `FaceReconstructor\.load` takes"):
            FaceReconstructor.from_pretrained(tmp_path / name)
    with pytest.raises(MGCError, match=r"expected network\.safetensors"):
        FaceReconstructor.from_pretrained(tmp_path)


@pytest.fixture
def photo_image():
    return torch.rand(3, 30, 40).repeat_interleave(8, 1).repeat_interleave(8, 2)


def test_repositories_of_the_hub(installed, monkeypatch):
    _, folder = installed
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"anna/faces: no such file .* pip install 'mgc-lightning\[hub\]'"):
        pretrained_weights("anna/faces")
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        if name != "anna/faces":
            raise RuntimeError("404 Client Error\nmore")
        return str(folder)

    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert pretrained_weights("anna/faces", revision="v1") == folder / "network.safetensors"
    name, revision, patterns = asked[0]
    assert (name, revision) == ("anna/faces", "v1")
    assert not [p for p in patterns if p.endswith((".ckpt", ".pt2", ".bin", ".py", "*"))]
    with pytest.raises(MGCError, match="bob/none: .* the hub does not give it: 404 Client Error$"):
        pretrained_weights("bob/none")


def test_a_checkout_without_weights_says_so_once(missing, capsys):
    for load in (load_network, load_predictor, as_predictor, FaceReconstructor.from_pretrained):
        with pytest.raises(MGCError, match=r"The weights `mgc-small`, .* this checkout does not. Install a wheel"):
            load()
    assert run("export", "--output", "out") == 2
    assert "used where no --checkpoint is given" in capsys.readouterr().err
    assert run("models") == 1
    assert "this checkout does not" in capsys.readouterr().out


def test_commands_take_it(installed, tmp_path, capsys, photo_image):
    from PIL import Image

    assert run("models") == 0
    listed = capsys.readouterr().out
    assert "mgc-small: " in listed
    assert "(default)" in listed
    assert "face model makehuman: CC0" in listed
    assert "neutral error, mm, on 512 faces: 1.4 (mean face 2.3)" in listed
    assert run("export", "--output", tmp_path / "out", "--formats", "safetensors") == 0
    assert load_network(tmp_path / "out").image_size == SIZE
    Image.fromarray((photo_image.permute(1, 2, 0) * 255).byte().numpy()).save(tmp_path / "a.png")
    assert run("reconstruct", tmp_path / "a.png", "--box", 60, 40, 200, 200, "--output", tmp_path / "faces") == 0
    assert (tmp_path / "faces" / "a" / "face.obj").is_file()


def test_an_unknown_name_among_several(installed):
    with pytest.raises(MGCError, match=r"The network must be one of mgc-small; got 'mgc-smal'\. Did you mean"):
        shipped.shipped_network("mgc-smal")


@pytest.mark.skipif(not shipped.shipped_networks(), reason="a checkout without weights")
def test_what_is_shipped():
    for found in shipped.shipped_networks():
        assert found.megabytes <= 12
        for name, digest in found.card["sha256"].items():
            assert hashlib.sha256((found.folder / name).read_bytes()).hexdigest() == digest
        network = load_network(found.folder)
        size = network.image_size
        assert size == found.card["image_size"]
        images = torch.rand(2, 3, size, size)
        with torch.no_grad():
            for result, expected in zip(onnx_runner(found.folder / shipped.ONNX)(images), network(images), strict=True):
                torch.testing.assert_close(result, expected, atol=0.02, rtol=1e-3)
        assert "Not measured yet" not in (found.folder / "README.md").read_text()
        assert found.card["scores"]
