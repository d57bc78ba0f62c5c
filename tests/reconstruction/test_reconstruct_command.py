"""`mgc reconstruct`: what it takes, what it writes, and what it says of what cannot be used."""

import json
import urllib.error

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import ROLLED

from mgc_lightning.cli import main
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction import run as work


def no_network(*args, **kwargs):
    raise urllib.error.URLError("no network")


def run(*arguments):
    with pytest.raises(SystemExit) as status:
        main([str(argument) for argument in arguments])
    return status.value.code


def test_command_writes_everything(tmp_path, exports, photo):
    image = Image.fromarray((photo.permute(1, 2, 0) * 255).byte().numpy())
    image.save(tmp_path / "Zoë 1.png")
    np.savetxt(tmp_path / "points.txt", ROLLED.numpy())
    out = tmp_path / "out"
    arguments = ["reconstruct", tmp_path / "Zoë 1.png", "--checkpoint", exports / "network.onnx", "--output", out]
    assert run(*arguments, "--landmarks", tmp_path / "points.txt", "--neutral", "--full-head") == 0
    folder = out / "Zoë 1"
    assert {path.name for path in folder.iterdir()} == {
        *(
            f"{n}.png"
            for n in (
                "crop",
                "crop_overlay",
                "crop_albedo",
                "crop_light",
                "crop_geometry",
                "overlay",
                "geometry",
                "main_pose",
                "main_pose_geometry",
                "depth",
                "depth_colour",
                "normals",
                "landmarks",
                "sheet",
            )
        ),
        *("face.obj", "face.ply", "face.glb", "face_textured.glb", "neutral.obj"),
        *("face_textured.obj", "face_textured.mtl", "face_textured.png"),
        *("head.obj", "head.ply", "head.glb", "head_neutral.obj"),
        *("landmarks.txt", "landmarks_crop.txt", "landmarks3d.txt", "coefficients.json", "camera.json"),
    }
    for name in ("overlay.png", "geometry.png"):
        drawn = np.asarray(Image.open(folder / name))
        assert drawn.shape == (240, 320, 3)
        changed = (drawn != np.asarray(image)).any(axis=2)
        assert 0.005 < changed.mean() < 0.9
    camera = json.loads((folder / "camera.json").read_text())
    mesh = read_mesh(folder / "face.obj")
    landmarks3d = np.loadtxt(folder / "landmarks3d.txt", delimiter=",", skiprows=1)
    landmarks = np.loadtxt(folder / "landmarks.txt", delimiter=",", skiprows=1)
    K, T = np.array(camera["image"]["K"]), np.array(camera["image"]["T_cam_model"])
    seen = (landmarks3d @ T[:3, :3].T + T[:3, 3]) @ K.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], landmarks, atol=0.02)
    assert mesh.colors is not None
    coefficients = json.loads((folder / "coefficients.json").read_text())
    assert len(coefficients["expression"]) == len(coefficients["expression_names"])
    neutral = read_mesh(folder / "neutral.obj")
    assert not np.allclose(neutral.verts, mesh.verts)
    np.testing.assert_array_equal(neutral.faces, mesh.faces)
    head = read_mesh(folder / "head.obj")
    model = load_face_model()
    np.testing.assert_array_equal(head.faces, model.faces.numpy())
    rows = np.unique(model.face_region_faces.numpy())
    np.testing.assert_allclose(mesh.verts, head.verts[rows], atol=1e-4)
    depth = np.asarray(Image.open(folder / "depth.png")).astype(float) * camera["depth_unit_mm"]
    seen = depth > 0
    assert seen.any()
    z = (head.verts[rows] @ T[:3, :3].T + T[:3, 3])[:, 2]
    assert z.min() - 1 < depth[seen].min()
    assert depth[seen].max() < z.max() + 1


def test_command_reports_bad_photographs_and_goes_on(tmp_path, network_file, photo, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    (tmp_path / "points").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray((photo.permute(1, 2, 0) * 255).byte().numpy()).save(tmp_path / folder / "x.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    for name in ("x", "bad"):
        np.savetxt(tmp_path / "points" / f"{name}.txt", ROLLED.numpy())
    photos = [tmp_path / "a" / "x.png", tmp_path / "bad.png", tmp_path / "b" / "x.png"]
    common = ["--checkpoint", network_file, "--output", tmp_path / "out"]
    assert run("reconstruct", *photos, *common, "--landmarks", tmp_path / "points") == 1
    assert "bad.png: not an image" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "x", "x_2"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [row["folder"] for row in report["done"]] == ["x", "x_2"]
    assert "not an image" in report["failed"][0]["reason"]
    assert run("reconstruct", *photos, *common, "--box", 1, 2, 3, 4) == 2
    assert run("reconstruct", photos[0], *common) == 2
    assert "could not be downloaded" in capsys.readouterr().err
    assert run("reconstruct", photos[0], *common, "--box", 1, 2, 30, 40, "--device", "abacus") == 2
    assert "`abacus` cannot be used" in capsys.readouterr().err
    blocked = ["--checkpoint", network_file, "--output", photos[0], "--box", 1, 2, 30, 40]
    assert run("reconstruct", photos[0], *blocked) == 2
    assert "could not be written" in capsys.readouterr().err


class Everywhere:
    """Detect two faces of different size in every picture but dark ones."""

    def detect(self, image, path=None):
        if image.mean() < 0.1:
            return []
        points = torch.rand(68, 2, generator=torch.Generator().manual_seed(3))
        return [DetectedFace(points * 60 + 20), DetectedFace(points * 90 + 100)]


def test_folders_patterns_and_all_faces(tmp_path, network_file, photo, capsys, monkeypatch):
    monkeypatch.setattr(work, "make_detector", lambda *_: Everywhere())
    (tmp_path / "in" / "deep").mkdir(parents=True)
    picture = (photo.permute(1, 2, 0) * 255).byte().numpy()
    Image.fromarray(picture).save(tmp_path / "in" / "deep" / "two.png")
    Image.fromarray(picture).save(tmp_path / "ä b.jpg")
    Image.fromarray(np.zeros_like(picture)).save(tmp_path / "in" / "night.png")
    (tmp_path / "in" / "notes.txt").write_text("words")
    arguments = [tmp_path / "in", f"{tmp_path}/*.jpg", "--checkpoint", network_file, "--output", tmp_path / "out"]
    assert run("reconstruct", *arguments, "--faces", "all", "--batch-size", 3) == 1
    folders = {"two", "two_face2", "ä b", "ä b_face2"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*folders, "report.json"}
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {row["folder"] for row in report["done"]} == folders
    assert "no face was found" in report["failed"][0]["reason"]
    assert "notes.txt" in report["skipped"][0]["input"]
    assert run("reconstruct", f"{tmp_path}/*.gif", *arguments[2:]) == 2
    assert "no photograph or video" in capsys.readouterr().err
