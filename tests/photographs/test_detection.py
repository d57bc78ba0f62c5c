"""Detectors: given files, weights, and the real face-alignment classes with random weights."""

import dataclasses
import urllib.error

import numpy as np
import pytest
import torch
from tiny_networks import face_points

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.detection import DetectedFace, LandmarkFolder, detect_shrunk, largest_first
from mgc_lightning.photographs.weights import find_weights, load_weights

URL = "https://example.org/net-0123456789.pth"


def test_given_landmarks(tmp_path):
    points = face_points(80).numpy() + 5
    (tmp_path / "points" / "anna b").mkdir(parents=True)
    np.save(tmp_path / "points" / "anna b" / "ü.npy", points)
    np.savetxt(tmp_path / "points" / "other.txt", points)
    np.save(tmp_path / "points" / "five.npy", points[:5])
    folder = LandmarkFolder(tmp_path / "points", tmp_path / "photos")
    image = torch.zeros(3, 100, 100)
    for name in ("anna b/ü.jpg", "elsewhere/other.png"):
        (face,) = folder.detect(image, tmp_path / "photos" / name)
        np.testing.assert_allclose(face.landmarks.numpy(), points, atol=1e-4)
    assert folder.detect(image, tmp_path / "photos" / "missing.jpg") == []
    with pytest.raises(MGCError, match="68"):
        folder.detect(image, tmp_path / "photos" / "five.jpg")
    np.save(tmp_path / "points" / "mirrored.npy", points * np.float32([-1, 1]) + np.float32([100, 0]))
    with pytest.raises(MGCError, match=r"mirrored\.npy: the points are mirrored, left and right"):
        folder.detect(image, tmp_path / "photos" / "mirrored.jpg")
    with pytest.raises(MGCError, match="no such folder"):
        LandmarkFolder(tmp_path / "nowhere")


@dataclasses.dataclass
class Corners:
    """Find one face at the picture's size."""

    def detect(self, image, path=None):
        height, width = image.shape[-2:]
        assert max(height, width) <= 900
        return [DetectedFace(torch.tensor([[0.0, 0.0], [width, height]]).repeat(34, 1))]


def test_large_pictures_are_shrunk_for_detection():
    (face,) = detect_shrunk(Corners(), torch.zeros(3, 1000, 2000))
    torch.testing.assert_close(face.landmarks[:2], torch.tensor([[0.0, 0.0], [2000.0, 1000.0]]))


def test_the_largest_face_is_first():
    faces = [DetectedFace(torch.rand(68, 2) * size) for size in (10, 50, 20)]
    assert [id(face) for face in largest_first(faces)] == [id(faces[i]) for i in (1, 2, 0)]


def test_weights_given_cached_or_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    calls = []

    def unreachable(url, path, hash_prefix=None, progress=True):
        calls.append(hash_prefix)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(MGCError, match="name it in `weights`") as caught:
        find_weights(URL)
    assert URL in str(caught.value)
    assert calls == ["0123456789"]
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("hash")))
    with pytest.raises(MGCError, match="damaged"):
        find_weights(URL)
    given = tmp_path / "net-0123456789.pth"
    torch.save({"a": torch.zeros(2)}, given)
    assert find_weights(URL, [given]) == find_weights(URL, [tmp_path]) == given
    assert load_weights(given)["a"].shape == (2,)
    cached = tmp_path / "torch" / "hub" / "checkpoints" / given.name
    given.rename(cached)
    assert find_weights(URL) == cached
    cached.write_bytes(b"words")
    with pytest.raises(MGCError, match="not a file of weights"):
        load_weights(cached)


@pytest.mark.slow
def test_the_real_classes_with_random_weights(tmp_path, monkeypatch):
    import face_alignment.api
    from face_alignment.detection.sfd.net_s3fd import s3fd

    from mgc_lightning.photographs.face_alignment_detector import FAN_URL, SFD_URL, FaceAlignmentDetector

    torch.set_num_threads(1)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(s3fd().state_dict(), folder / SFD_URL.rsplit("/", 1)[-1])
    torch.save(face_alignment.api.FAN(4).state_dict(), folder / FAN_URL.rsplit("/", 1)[-1])
    detector = FaceAlignmentDetector()
    image = torch.rand(3, 96, 96)
    for face in detector.detect(image):
        assert face.landmarks.shape == (68, 2)
    box = [np.array([20, 20, 80, 80, 1.0])]
    monkeypatch.setattr(detector._network.face_detector, "detect_from_image", lambda image: box)
    (face,) = detector.detect(image)
    assert face.landmarks.shape == (68, 2)
    assert face.landmarks.isfinite().all()
    assert face.confidence.shape == (68,)
    (folder / SFD_URL.rsplit("/", 1)[-1]).write_bytes(b"words")
    with pytest.raises(Exception, match=r".+"):
        FaceAlignmentDetector()
