"""Exports run by themselves, at any batch size, and agree with the network; a wrong one is not written."""

import copy
import json

import onnx
import onnxruntime
import pytest
import torch

import mgc_lightning.networks.export as export_module
from mgc_lightning.cli import main
from mgc_lightning.encoders import Encoder, OfficialResNet, ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.comparison import OUTPUTS, compare
from mgc_lightning.networks.export import export_network
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork, OutputScaling
from mgc_lightning.networks.files import load_network, save_network
from mgc_lightning.networks.interface import INTERFACE_KEY, describe_interface
from mgc_lightning.networks.narrow import BOUNDS, fixed_faces
from mgc_lightning.networks.predictor import load_predictor


def make(backbone=None, **head):
    model = load_face_model("makehuman", level=0)
    encoder = Encoder(backbone or ResNet(18, width=8), model.layout.total, **head)
    network = FaceNetwork(encoder, model, 64, output_scaling=OutputScaling.measured())
    for module in network.modules():  # statistics and scales that matter
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    network = make().train()
    folder = tmp_path_factory.mktemp("export folder")
    return network, export_network(network, folder)


def test_every_format_agrees_with_the_module(exported):
    network, report = exported
    assert network.training  # left as it was
    assert [file.format for file in report.files] == ["onnx", "torch", "safetensors"]
    for file in report.files:
        assert file.path.stat().st_size > 10_000
        assert set(file.differences) == set(OUTPUTS)
        assert max(file.differences.values()) < 1e-3
        assert str(file.path) in str(report)
        assert "max difference" in str(file)
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "network.json",
        "network.onnx",
        "network.pt2",
        "network.safetensors",
    ]
    described = json.loads((report.folder / "network.json").read_text())
    assert described.pop("interface") == describe_interface(network)
    assert described == json.loads(json.dumps(network.config))


def test_onnx_alone_is_enough(exported):
    network, report = exported
    path = str(report.files[0].path)
    onnx.checker.check_model(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["coefficients", "verts", "landmarks"]
    assert session.get_inputs()[0].shape[1:] == [3, 64, 64]
    config = json.loads(session.get_modelmeta().custom_metadata_map[NETWORK_KEY])
    assert config["face_model"]["fingerprint"] == network.face_model.fingerprint
    images = torch.rand(5, 3, 64, 64)
    found = session.run(None, {"images": images.numpy()})
    for array, expected in zip(found, copy.deepcopy(network).eval()(images), strict=True):
        torch.testing.assert_close(torch.from_numpy(array), expected, atol=1e-3, rtol=1e-5)


def test_narrow_weights_are_compared_and_smaller(exported, tmp_path, monkeypatch):
    network, full = exported
    # Turning a network into ONNX takes seconds: that of the other tests serves.
    monkeypatch.setattr(export_module, "standalone_onnx", lambda module: onnx.load(full.files[0].path))
    report = export_network(network, tmp_path, ["onnx"], ["float16", "int8"])
    half, whole = report.files
    assert [file.precision for file in report.files] == ["float16", "int8"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "network.float16.onnx", "network.int8.onnx", "network.json"
    ]  # fmt: skip
    assert half.differences["verts"] < 0.01 < BOUNDS["float16"]["verts"]
    assert half.differences["verts"] < whole.differences["verts"] < BOUNDS["int8"]["verts"]
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert half.path.stat().st_size - whole.path.stat().st_size > 0.5 * weights
    assert "onnx int8" in str(whole)
    faces = fixed_faces(network)
    assert torch.equal(faces, fixed_faces(network))
    assert faces.std(dim=0).mean() > 0.02
    for file in report.files:  # they say as much as the full one, and FaceReconstructor takes them
        assert load_predictor(file.path).image_size == 64
        session = onnxruntime.InferenceSession(file.path, providers=["CPUExecutionProvider"])
        assert INTERFACE_KEY in session.get_modelmeta().custom_metadata_map
    monkeypatch.setitem(BOUNDS, "int8", {**BOUNDS["int8"], "verts": 1e-4})
    with pytest.raises(MGCError, match=r"onnx int8 export differs .*network\.int8\.onnx was not written"):
        export_network(network, tmp_path / "other", ["onnx"], ["int8"])
    assert list((tmp_path / "other").iterdir()) == []


def test_torch_export_alone_is_enough(exported):
    network, report = exported
    extra = {NETWORK_KEY: ""}
    program = torch.export.load(report.files[1].path, extra_files=extra)
    assert json.loads(extra[NETWORK_KEY])["image_size"] == 64
    images = torch.rand(5, 3, 64, 64)
    assert torch.equal(program.module()(images)[2], copy.deepcopy(network).eval()(images)[2])


def test_official_backbone_exports(tmp_path):
    network = make(OfficialResNet(18, width=8), spatial_channels=0)
    report = export_network(network, tmp_path, ["onnx"])
    assert max(report.files[0].differences.values()) < 1e-3


def test_unloadable_backbone_is_said(tmp_path):
    network = make()
    del network.encoder.backbone.config
    report = export_network(network, tmp_path, ["safetensors"])
    assert "no program can build its backbone `mgc_lightning.encoders.resnet.ResNet` again" in str(report)
    assert "attribute `config`" in str(report)


def test_an_export_that_differs_is_an_error_and_not_written(tmp_path, monkeypatch):
    def wrong(module, path):
        path.write_bytes(b"wrong")
        return lambda images: [output + 1.0 for output in module(images)]

    monkeypatch.setitem(export_module.FORMATS, "onnx", (".onnx", wrong))
    with pytest.raises(MGCError, match=r"onnx export differs .* was not written"):
        export_network(make(), tmp_path, ["onnx"])
    assert list(tmp_path.iterdir()) == []


def test_compare_sees_shapes_and_nan():
    network = make().eval()
    exact = compare(network, network)
    assert exact == dict.fromkeys(OUTPUTS, 0.0)

    def broken(images):
        coefficients, verts, landmarks = network(images)
        return coefficients * float("nan"), verts[:, :5], landmarks + 2.0

    found = compare(network, broken)
    assert found["coefficients"] == found["verts"] == float("inf")
    assert found["landmarks"] == pytest.approx(2.0, abs=1e-3)


def test_unknown_formats(tmp_path):
    with pytest.raises(MGCError, match="`formats` must be one of onnx, torch, safetensors; got 'tflite'"):
        export_network(make(), tmp_path, ["tflite"])
    with pytest.raises(MGCError, match="`formats` must be some of onnx"):
        export_network(make(), tmp_path, [])
    with pytest.raises(MGCError, match="`precisions` must be one of float32, float16, int8; got 'int4'"):
        export_network(make(), tmp_path, ["onnx"], ["int4"])
    with pytest.raises(MGCError, match="`precisions` are of ONNX files"):
        export_network(make(), tmp_path, ["safetensors"], ["int8"])


def test_command(tmp_path, capsys):
    checkpoint = save_network(make().eval(), tmp_path / "trained.safetensors")
    arguments = ["export", "--checkpoint", str(checkpoint), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as status:
        main([*arguments, "--formats", "onnx", "safetensors"])
    assert status.value.code == 0
    printed = capsys.readouterr().out
    assert "onnx" in printed
    assert "max difference" in printed
    assert load_network(tmp_path / "out").image_size == 64
    with pytest.raises(SystemExit) as status:
        main(["export", "--checkpoint", str(tmp_path / "no.ckpt"), "--output", str(tmp_path)])
    assert status.value.code == 2
    assert "no such checkpoint" in capsys.readouterr().err
    with pytest.raises(SystemExit) as status:
        main(["export", "--checkpoint", str(checkpoint), "--output", str(checkpoint)])
    assert status.value.code == 2
    assert "could not be written" in capsys.readouterr().err
