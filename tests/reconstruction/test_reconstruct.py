"""`reconstruct` in Python: the files of the command, the faces themselves, and messages in Python's words."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import ROLLED

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.settings import NetworkSource
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction import run
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.report import Done, Refused
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.reconstruction.run import reconstruct
from mgc_lightning.reconstruction.settings import ReconstructSettings
from mgc_lightning.synthetic.dataset import make_triplets


@pytest.fixture
def inputs(tmp_path, photo):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("anna", "berta"):
        Image.fromarray((photo.permute(1, 2, 0) * 255).byte().numpy()).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("words")
    (tmp_path / "points").mkdir()
    for name in ("anna", "berta", "bad"):
        np.savetxt(tmp_path / "points" / f"{name}.txt", ROLLED.numpy())
    return folder


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_files_as_the_command(inputs, network_file, tmp_path):
    settings = ReconstructSettings(landmarks=str(tmp_path / "points"), neutral=True)
    report = reconstruct(inputs, tmp_path / "python", network_file, settings)
    line = ["reconstruct", inputs, "--checkpoint", network_file, "--output", tmp_path / "command"]
    with pytest.raises(SystemExit) as status:
        main([str(word) for word in [*line, "--landmarks", tmp_path / "points", "--neutral"]])
    assert status.value.code == 0
    assert files(tmp_path / "python") == files(tmp_path / "command")
    assert [done.input.name for done in report.done] == ["anna.png", "berta.png"]
    assert [done.folder.name for done in report.done] == ["anna", "berta"]
    written = {path for done in report.done for path in done.files} | {report.path}
    assert written == {path for path in (tmp_path / "python").rglob("*") if path.is_file()}
    assert [row.input.name for row in report.skipped] == ["notes.txt"]
    assert not report.failed


def test_parts_are_written_by_name(inputs, network_file, tmp_path):
    def names(folder):
        return {path.name for path in folder.iterdir()}

    points = tmp_path / "points"
    lean = {"face.obj", "face.ply", "face.glb", "coefficients.json", "camera.json", "overlay.png"}
    lean |= {"landmarks.txt", "landmarks_crop.txt", "landmarks3d.txt"}
    reconstruct(inputs, tmp_path / "several", network_file, ReconstructSettings(landmarks=points))
    assert names(tmp_path / "several" / "anna") == names(tmp_path / "several" / "berta") == lean
    line = [
        "reconstruct",
        "--write",
        "depth,coefficients,points",
        "--jpeg",
        inputs / "anna.png",
        "--checkpoint",
        network_file,
    ]
    with pytest.raises(SystemExit) as status:
        main([str(word) for word in [*line, "--landmarks", points, "--output", tmp_path / "one"]])
    assert status.value.code == 0
    wanted = {"depth.png", "depth_colour.png", "normals.png", "landmarks.jpg", "coefficients.json", "camera.json"}
    assert names(tmp_path / "one" / "anna") == wanted
    # A depth that is written has its unit beside it.
    cameras = [json.loads((tmp_path / run / "anna" / "camera.json").read_text()) for run in ("one", "several")]
    assert cameras[0].pop("depth_unit_mm") > 0
    assert cameras[1].pop("depth_unit_mm") is None


def test_faces_are_kept_or_told(inputs, network_file, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    told = []
    settings = ReconstructSettings(landmarks=tmp_path / "points", batch_size=1, write=("coefficients",))
    everything = [inputs, str(tmp_path / "bad.png")]
    source = NetworkSource(network_file, level=0)
    report = reconstruct(everything, tmp_path / "out", source, settings, on_result=told.append)
    assert [type(result) for result in told] == [Done, Done, Refused]
    assert all(isinstance(result.face, Reconstruction) for result in told[:2])
    assert [done.face for done in report.done] == [None, None]
    assert report.failed == [told[2]]
    assert "not an image" in report.failed[0].reason
    kept = reconstruct(everything, tmp_path / "out", source, settings, keep_faces=True)
    for before, now in zip(told, kept.done, strict=False):
        torch.testing.assert_close(before.face.coefficients.identity, now.face.coefficients.identity)


class Detector:
    """Find the face of the fixtures in every picture."""

    def detect(self, image, path=None):
        points = torch.rand(68, 2, generator=torch.Generator().manual_seed(3))
        return [DetectedFace(points * 90 + 100)]


def test_a_loaded_network_keeps_its_detector(inputs, network_file, tmp_path):
    network = FaceReconstructor.load(network_file, detector=Detector())
    report = reconstruct(inputs / "anna.png", tmp_path / "out", network)
    assert len(report.done) == 1
    content = json.loads(report.path.read_text())
    done = {"input": str(inputs / "anna.png"), "folder": "anna", "refined": True}
    assert content == {"done": [done], "failed": [], "skipped": []}


class Group(Detector):
    def detect(self, image, path=None):
        face = super().detect(image)[0]
        return [face, DetectedFace(face.landmarks * 0.8), DetectedFace(face.landmarks * 0.7)]


def test_a_photograph_may_have_the_name_of_a_face_of_another(network_file, tmp_path, photo, monkeypatch):
    for name in ("party", "party_face2", "Party"):
        Image.fromarray((photo.permute(1, 2, 0) * 255).byte().numpy()).save(tmp_path / f"{name}.png")
    # Which folders, not what is in them: that is drawn slowly.
    monkeypatch.setattr(run, "write_reconstruction", lambda *_, **__: [])
    network = FaceReconstructor.load(network_file, detector=Group())
    settings = ReconstructSettings(faces="all", refine=False)
    report = reconstruct(tmp_path / "*.png", tmp_path / "out", network, settings)
    assert [(done.input.stem, done.folder.name) for done in report.done] == [
        ("Party", "Party"), ("Party", "Party_face2_2"), ("Party", "Party_face3"),
        ("party", "party_2"), ("party", "party_2_face2"), ("party", "party_2_face3"),
        ("party_face2", "party_face2"), ("party_face2", "party_face2_face2"), ("party_face2", "party_face2_face3"),
    ]  # fmt: skip


def test_faces_follow_the_landmarks_unless_they_shall_not(inputs, network_file, tmp_path):
    network = network_file
    reconstructor = FaceReconstructor.load(network)
    (tmp_path / "68").mkdir()
    for number, name in enumerate(("anna", "berta")):
        shown = make_triplets(load_face_model(), [number], image_size=128, views=1).landmarks[0, 0]
        np.savetxt(tmp_path / "68" / f"{name}.txt", (shown + 30).numpy())
    where = ReconstructSettings(landmarks=tmp_path / "68", write=("coefficients",))
    refined = reconstruct(inputs, tmp_path / "a", network, where, keep_faces=True)
    predicted = reconstruct(inputs, tmp_path / "b", network, replace(where, refine=False), keep_faces=True)
    for after, before in zip(refined.done, predicted.done, strict=True):
        assert after.refined
        assert not before.refined
        points = after.face.detected
        alone = reconstructor.reconstruct(before.input, points)
        torch.testing.assert_close(before.face.coefficients.to_vector(), alone.coefficients.to_vector())
        near, far = ((face.landmarks - points).norm(dim=-1)[17:].mean() for face in (after.face, before.face))
        assert near < 0.5 * far
    boxed = reconstruct(
        inputs / "anna.png", tmp_path / "c", network, ReconstructSettings(box=(50, 50, 140, 150), write=("mesh",))
    )
    assert not boxed.done[0].refined


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"landmarks": "a", "box": (0, 0, 1, 1)}, "Give either `landmarks` or `box`, not both"),
        ({"one_moment": True}, "`one_moment=True` belongs to `same_person=True`"),
        ({"same_person": True, "refine": False}, "`refine=False` contradicts it"),
        ({"faces": "some"}, "`faces` must be one of largest, all; got 'some'"),
        ({"detector": "mediapie"}, "Did you mean 'mediapipe'?"),
        ({"write": ("mesh", "overlays")}, "got 'overlays'. Did you mean 'overlay'?"),
        ({"write": ("overlay",), "neutral": True}, "`write` has to name `mesh` too"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(MGCError) as error:
        ReconstructSettings(**options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda points: points / 320, "normalised"),
        (lambda points: points[[1, 0, 2, 4, 3]], "left and right look exchanged"),
        (lambda points: points + 400, "outside the picture, which is 320 x 240 px"),
        (lambda points: points * 0 + 50, "in one place"),
    ],
)
def test_nothing_is_written_for_points_that_are_no_face(inputs, network_file, tmp_path, spoil, message):
    np.savetxt(tmp_path / "points" / "anna.txt", spoil(ROLLED).numpy())
    settings = ReconstructSettings(landmarks=tmp_path / "points")
    with pytest.raises(MGCError, match=f"anna.txt: .*{message}"):
        reconstruct(inputs / "anna.png", tmp_path / "out", network_file, settings)
    assert not (tmp_path / "out").exists()
    report = reconstruct(inputs, tmp_path / "out", network_file, settings)
    assert [done.input.name for done in report.done] == ["berta.png"]
    assert [message in refused.reason for refused in report.failed] == [True]


def test_settings_that_do_not_fit_the_inputs(inputs, network_file, tmp_path):
    with pytest.raises(MGCError, match="`box` belongs to one input"):
        reconstruct(inputs, tmp_path / "out", network_file, ReconstructSettings(box=(1, 2, 3, 4)))
    with pytest.raises(MGCError, match="`same_person=True` takes two .* got 1 photographs and 0 videos"):
        reconstruct(inputs / "anna.png", tmp_path / "out", network_file, ReconstructSettings(same_person=True))
    with pytest.raises(MGCError, match="no photograph or video"):
        reconstruct([tmp_path / "points"], tmp_path / "out", network_file)
    assert not (tmp_path / "out").exists()
