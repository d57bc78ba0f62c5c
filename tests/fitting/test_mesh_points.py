"""Where a detector's mesh lies on the embedded head: on its surface, in its places, at every level."""

import pytest
import torch

from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting import mesh_points
from mgc_lightning.geometry.pose import rigid
from mgc_lightning.synthetic.poses import head_rotation


@pytest.fixture(scope="module")
def found():
    return mesh_points(load_face_model())


def place(found, vertex):
    return found.points.mean[(found.vertices == vertex).nonzero().item()]


def test_vertices_lie_at_the_features_that_mediapipe_names(found):
    model = load_face_model()
    points = model.landmarks68(model.mean).double()
    # The corners of the eyes, the tip of the nose, and the corners of the mouth in MediaPipe's canonical mesh.
    for vertex, landmark in ((33, 36), (133, 39), (362, 42), (263, 45), (4, 30), (61, 48), (291, 54)):
        assert (place(found, vertex) - points[landmark]).norm() < 6


def test_right_and_left_are_alike(found):
    mirrored = found.points.mean * torch.tensor([-1.0, 1.0, 1.0]).double()
    nearest = torch.cdist(mirrored, found.points.mean).min(1).values
    assert nearest.median() < 1.5


def test_both_levels_have_the_same_places(found):
    fine = mesh_points(load_face_model(level=1))
    assert torch.equal(fine.vertices, found.vertices)
    assert (fine.points.mean - found.points.mean).norm(dim=1).max() < 1.5
    # A lid's edge is another vertex's at the finer level, and blinks.
    assert (fine.points.basis - found.points.basis).abs().flatten().kthvalue(140_000).values < 0.7


def test_a_turned_head_hides_its_far_side(found):
    T = rigid(head_rotation(torch.tensor([80.0]), torch.tensor([0.0])), torch.zeros(1, 3))
    seen = found.facing(T)[0] > 0
    side = found.points.mean[:, 0] > 30
    shares = seen[side].float().mean(), seen[found.points.mean[:, 0] < -30].float().mean()
    assert min(shares) < 0.3
    assert max(shares) > 0.9


def test_other_face_models_have_none():
    model = load_face_model()
    model.name = "another"
    assert mesh_points(model) is None
