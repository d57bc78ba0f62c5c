"""Images, landmarks, skin and K move together; zero strength changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.triplets.augmentation import MIRRORED, Augmentation, AugmentationSettings, draw_augmentation

NOTHING = AugmentationSettings(flip=0, scale=0, shift=0, camera=0, occlusion=0)
SIZE = 64


@pytest.fixture(scope="module")
def batch():
    settings = SyntheticSettings(linked=1, unlinked=0, camera_noise=0, occluders=0)
    return make_triplets(load_face_model(), 2, image_size=SIZE, settings=settings)


def numbers(settings, seed=0, samples=2):
    rng = np.random.default_rng(seed)
    drawn = [draw_augmentation(rng, settings, 3, True) for _ in range(samples)]
    return {name: torch.stack([d[name] for d in drawn]) for name in drawn[0]}


def test_nothing_changes_without_strength(batch):
    after = Augmentation(NOTHING)(batch, numbers(NOTHING))
    for name in ("images", "landmarks", "skin", "K"):
        torch.testing.assert_close(getattr(after, name), getattr(batch, name), atol=1e-4, rtol=1e-4)


def test_projections_follow_the_picture(batch):
    settings = AugmentationSettings(flip=0, scale=0.2, shift=0.1, camera=0, occlusion=0)
    after = Augmentation(settings)(batch, numbers(settings))
    model = load_face_model()
    points_cam = transform_points(batch.truth.T_cam_model, model.landmarks68(batch.truth.verts_posed))
    torch.testing.assert_close(project(points_cam, batch.K), batch.landmarks, atol=1e-2, rtol=0)
    torch.testing.assert_close(project(points_cam, after.K), after.landmarks, atol=1e-2, rtol=0)
    # A pixel of the picture moves as its landmark does.
    spot = torch.zeros_like(batch.images)
    u, v = (batch.landmarks[0, 0, 30]).floor().long().tolist()
    spot[0, 0, :, v, u] = 1
    moved = Augmentation(settings)(
        type(batch)(spot, batch.landmarks, batch.skin, batch.link, batch.K), numbers(settings)
    )
    weight = moved.images[0, 0, 0]
    axis = torch.arange(SIZE) + 0.5
    centre = torch.stack([(weight.sum(0) * axis).sum(), (weight.sum(1) * axis).sum()]) / weight.sum()
    assert (centre - moved.landmarks[0, 0, 30]).abs().max() < 0.9


def test_weights_of_landmarks_go_with_them(batch):
    settings = AugmentationSettings(flip=1, scale=0, shift=0, camera=0, occlusion=0)
    trust = torch.rand(2, 3, 68)
    after = Augmentation(settings)(replace(batch, landmark_weights=trust), numbers(settings))
    assert torch.equal(after.landmark_weights, trust[:, [0, 2, 1]][..., MIRRORED])
    assert Augmentation(settings)(batch, numbers(settings)).landmark_weights is None


def test_a_mirror_is_undone_by_a_mirror(batch):
    settings = AugmentationSettings(flip=1, scale=0, shift=0, camera=0, occlusion=0)
    mirror = Augmentation(settings)
    once = mirror(batch, numbers(settings))
    torch.testing.assert_close(once.images[:, 1], batch.images[:, 2].flip(-1), atol=1e-4, rtol=0)
    torch.testing.assert_close(once.skin[:, 0], batch.skin[:, 0].flip(-1), atol=1e-4, rtol=0)
    left = once.landmarks[..., 36:42, 0].mean(-1)
    assert (left < once.landmarks[..., 42:48, 0].mean(-1)).all()
    assert once.K[..., 0, 0].gt(0).all()
    twice = mirror(once, numbers(settings))
    for name in ("images", "landmarks", "skin", "K"):
        torch.testing.assert_close(getattr(twice, name), getattr(batch, name), atol=2e-3, rtol=1e-4)


def test_persons_move_with_their_views(batch):
    settings = AugmentationSettings(flip=1, scale=0, shift=0, camera=0, occlusion=0)
    strangers = replace(batch, person=torch.tensor([[0, 0, 2], [0, 1, 2]]))
    assert Augmentation(settings)(strangers, numbers(settings)).persons().tolist() == [[0, 2, 0], [0, 2, 1]]


def test_mirrored_landmarks_are_the_models():
    points = load_face_model().landmarks68(load_face_model().mean)
    assert sorted(MIRRORED) == list(range(68))
    assert (points * torch.tensor([-1.0, 1.0, 1.0]) - points[MIRRORED]).norm(dim=1).max() < 6


def test_occlusion_is_no_skin(batch):
    settings = AugmentationSettings(flip=0, scale=0, shift=0, camera=0, occlusion=1)
    after = Augmentation(settings)(batch, numbers(settings))
    assert (after.skin <= batch.skin + 1e-5).all()
    assert after.skin.sum() < batch.skin.sum()


def test_camera_noise_stays_in_range(batch):
    settings = AugmentationSettings(camera=1)
    after = Augmentation(settings)(batch, numbers(settings))
    assert after.images.min() >= 0
    assert after.images.max() <= 1


def test_bad_settings():
    with pytest.raises(MGCError, match="flip"):
        AugmentationSettings(flip=2)
