import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model, load_face_model_data
from mgc_lightning.face_models.landmark_transfer import similarity, transfer_landmarks

KNOWN = (8, 30, 36, 39, 42, 45, 48, 54)


@pytest.fixture(scope="module")
def template():
    return load_face_model_data("makehuman")


def test_similarity_recovers_a_motion():
    random = np.random.default_rng(0)
    points = random.standard_normal((10, 3))
    R = np.linalg.qr(random.standard_normal((3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    s, found, t = similarity(points, 2.5 * points @ R.T + [1, 2, 3])
    assert s == pytest.approx(2.5)
    np.testing.assert_allclose(found, R, atol=1e-12)
    np.testing.assert_allclose(t, [1, 2, 3], atol=1e-12)


def test_other_faces_of_another_topology(template):
    """Fine meshes of other people, scaled, moved and shuffled: landmarks come back to a few millimetres."""
    model = load_face_model("makehuman", level=1)
    verts = model.shape(torch.randn(model.layout.identity))
    true = model.landmarks68(verts).numpy().astype(np.float64)
    motion = lambda x: 1.05 * x + np.array([3.0, -8.0, 20.0])  # noqa: E731
    order = np.random.default_rng(0).permutation(len(verts))
    moved = motion(verts.numpy().astype(np.float64))[order]
    faces = np.argsort(order)[model.faces.numpy()]
    index, weights = transfer_landmarks(moved, faces, {i: motion(true[i]) for i in KNOWN}, template)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    found = (moved[index] * weights[..., None]).sum(axis=1)
    error = np.linalg.norm(found - motion(true), axis=1)
    assert error[list(KNOWN)].max() < 0.01
    assert error.mean() < 1.5
    assert error.max() < 7


def test_too_few_known_landmarks(template):
    with pytest.raises(MGCError, match="at least 4"):
        transfer_landmarks(template.mean, template.faces, {30: np.zeros(3)}, template)
