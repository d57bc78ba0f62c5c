"""A detector's points become iBUG's where they enter, whatever the size, roll and turn of the face."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.landmark_proportions import frontal_frame
from mgc_lightning.photographs.conventions import (
    face_axes,
    jaw_trust,
    landmark_offsets,
    slides,
    to_ibug,
)
from mgc_lightning.photographs.detection import DetectedFace, LandmarkFolder, detect_shrunk
from mgc_lightning.photographs.face_mesh import MESH_TO_68, landmarks_of_mesh
from mgc_lightning.triplets.augmentation import MIRRORED


@pytest.fixture(scope="module")
def frontal():
    model = load_face_model()
    return torch.from_numpy(frontal_frame(model.landmarks68(model.mean).numpy())).float()


def test_what_is_known_of_each_convention():
    assert not landmark_offsets("ibug").offsets.any()
    assert [slides(name) for name in ("ibug", "ibug-2d", "face-alignment", "mediapipe")] == [False, True, False, False]
    offsets = landmark_offsets("mediapipe").offsets
    assert 0.5 < offsets[17:].norm(dim=1).mean() < 3
    assert offsets.norm(dim=1).max() < 6
    torch.testing.assert_close(offsets[MIRRORED] * torch.tensor([-1.0, 1.0]), offsets)
    with pytest.raises(MGCError, match="Did you mean 'mediapipe'"):
        landmark_offsets("media-pipe")


def test_the_tables_frontal_face_is_the_models(frontal):
    torch.testing.assert_close(face_axes(frontal * 2.5 + 7), 2.5 * torch.eye(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("roll", "squeeze", "size"), [(0, 1.0, 1.0), (30, 1.0, 3.0), (-75, 0.7, 0.4)])
def test_offsets_are_taken_off_in_the_faces_own_axes(frontal, roll, squeeze, size):
    turn = math.radians(roll)
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    axes = size * rotation @ torch.diag(torch.tensor([squeeze, 1.0]))
    seen = lambda points: points @ axes.T + torch.tensor([50.0, 80.0])  # noqa: E731
    detected = seen(frontal + landmark_offsets("mediapipe").offsets)
    error = (to_ibug(detected, "mediapipe") - seen(frontal)).norm(dim=1) / size
    assert error.max() < 0.35
    assert error.mean() < 0.2 * landmark_offsets("mediapipe").offsets.norm(dim=1).mean()
    assert torch.equal(to_ibug(detected, "ibug-2d"), detected)


@dataclasses.dataclass
class Detector:
    points: torch.Tensor
    convention: str

    def detect(self, image, path=None):
        scale = image.shape[-1] / 2000
        return [DetectedFace(self.points * scale, 0.7, torch.full((68,), 0.6), self.convention)]


def test_points_become_ibugs_where_they_enter(frontal):
    points = frontal * 4 + 1000
    for name, jaw in (("mediapipe", "ibug"), ("face-alignment", "ibug"), ("ibug-2d", "ibug-2d")):
        (face,) = detect_shrunk(Detector(points, name), torch.zeros(3, 2000, 2000))
        torch.testing.assert_close(face.landmarks, to_ibug(points, name), atol=1e-2, rtol=1e-5)
        assert (face.convention, face.score) == (jaw, 0.7)
        assert face.in_ibug() == dataclasses.replace(face, landmarks=face.landmarks)


def test_given_landmarks_have_a_convention(frontal, tmp_path):
    np.save(tmp_path / "a.npy", (frontal + 100).numpy())
    image = torch.zeros(3, 200, 200)
    (face,) = detect_shrunk(LandmarkFolder(tmp_path, convention="mediapipe"), image, tmp_path / "a.jpg")
    torch.testing.assert_close(face.landmarks, to_ibug(frontal + 100, "mediapipe"))
    (face,) = detect_shrunk(LandmarkFolder(tmp_path, convention="ibug-2d"), image, tmp_path / "a.jpg")
    assert slides(face.convention)
    with pytest.raises(MGCError, match="`convention` must be one of"):
        LandmarkFolder(tmp_path, convention="mine")


def test_jaw_points_that_slide_count_less_in_turned_heads():
    assert jaw_trust(0).eq(1).all()
    assert jaw_trust(-9).eq(1).all()
    assert jaw_trust(45)[:17].eq(0).all()
    assert jaw_trust(-20)[:17].eq(0.5).all()
    assert jaw_trust(90)[17:].eq(1).all()


def test_points_of_the_face_mesh():
    assert len(MESH_TO_68) == 68
    mesh = torch.arange(468.0)[:, None] * torch.tensor([1.0, 10.0])
    points = landmarks_of_mesh(mesh)
    assert points.shape == (68, 2)
    assert points[0].tolist() == [127, 1270]
    assert points[3].tolist() == pytest.approx([132 + 0.7 * (58 - 132), 10 * (132 + 0.7 * (58 - 132))])
    # What is between two vertices on one side is so on the other.
    shares = [row[2] if isinstance(row, tuple) else 0.0 for row in MESH_TO_68]
    assert shares == [shares[i] for i in MIRRORED]
