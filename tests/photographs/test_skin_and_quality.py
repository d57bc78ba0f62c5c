"""Skin is found whatever its tone, and only on the face; quality is measured."""

import numpy as np
import pytest
import torch
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.photographs.crop import five_points, similarity_to_template
from mgc_lightning.photographs.head_pose import head_pose, yaw_degrees
from mgc_lightning.photographs.quality import sharpness
from mgc_lightning.photographs.skin import MaskFolder, SkinColours, face_area, log_mixture, polygons_mask
from mgc_lightning.photographs.skin_colours import OTHER, SKIN
from mgc_lightning.photographs.skin_parsing import SkinParsing
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

SIZE = 96


@pytest.fixture(scope="module")
def batch():
    settings = SyntheticSettings(linked=1, unlinked=0, camera_noise=0, occluders=0, alignment_jitter=0)
    return make_triplets(load_face_model(), 2, image_size=SIZE, settings=settings)


def test_the_tables_are_densities():
    for table in (SKIN, OTHER):
        assert len(table) == 16
        assert sum(row[6] for row in table) == pytest.approx(1, abs=2e-3)
    colours = torch.tensor([[210.0, 150.0, 120.0], [100.0, 65.0, 50.0], [60.0, 120.0, 200.0], [250.0, 250.0, 250.0]])
    odds = log_mixture(colours, SKIN) - log_mixture(colours, OTHER)
    assert (odds[:2] > 0).all()
    assert (odds[2:] < 0).all()


def test_skin_of_rendered_faces(batch):
    for person in range(2):
        found = SkinColours().segment(batch.images[person, 0], batch.landmarks[person, 0])
        assert found.shape == (1, SIZE, SIZE)
        assert found.min() >= 0
        assert found.max() <= 1
        true = batch.skin[person, 0]
        inside = (true > 0.5) & (face_area(batch.landmarks[person, 0], SIZE) > 0.5)
        assert (found * true).sum() / found.sum() > 0.8
        # The first one has a beard, which is not of the colour of his cheeks.
        assert (found[inside] > 0.5).float().mean() > (0.7, 0.95)[person]


def test_skin_of_all_complexions():
    world = SyntheticSettings(linked=0.0, unlinked=0.0, occluders=0.0, yaw_limit=60.0, camera_noise=0.7)
    faces = make_triplets(load_face_model(), 8, image_size=SIZE, settings=world)
    recall = []
    for image, points, true in zip(
        faces.images.flatten(0, 1), faces.landmarks.flatten(0, 1), faces.skin.flatten(0, 1), strict=True
    ):
        skin = (true > 0.5) & (face_area(points, SIZE) > 0.5)
        found = SkinColours().segment(image, points) > 0.5
        recall.append(float((found & skin).sum() / skin.sum()))
    assert np.mean(recall) > 0.93
    assert min(recall) > 0.5


def test_grey_pictures_have_skin_too(batch):
    grey = batch.images[0, 0].mean(0, keepdim=True).expand(3, -1, -1)
    own = SkinColours().segment(grey, batch.landmarks[0, 0])
    alone = SkinColours(own=0).segment(grey, batch.landmarks[0, 0])
    assert own.sum() > 1.5 * alone.sum()


def test_eyes_and_open_mouths_are_no_face_area(batch):
    landmarks = batch.landmarks[0, 0]
    area = face_area(landmarks, SIZE)
    u, v = landmarks[36:42].mean(0).long().tolist()
    assert area[0, v, u] == 0
    u, v = landmarks[30].long().tolist()
    assert area[0, v, u] == 1


def test_polygons_cover_their_area():
    square = torch.tensor([[10.0, 10.0], [30.0, 10.0], [30.0, 20.0], [10.0, 20.0]])
    assert polygons_mask([square], 40).sum() == pytest.approx(200, rel=0.12)


def test_given_masks(tmp_path):
    (tmp_path / "anna").mkdir()
    Image.fromarray(np.full((SIZE, SIZE), 255, np.uint8)).save(tmp_path / "anna" / "1.png")
    masks = MaskFolder(tmp_path, tmp_path / "photos")
    crop, points = torch.zeros(3, SIZE, SIZE), torch.zeros(68, 2)
    matrix = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    assert masks.segment(crop, points, tmp_path / "photos" / "anna" / "1.jpg", matrix).eq(1).all()
    with pytest.raises(MGCError, match="no skin mask for 2.jpg"):
        masks.segment(crop, points, tmp_path / "photos" / "anna" / "2.jpg", matrix)


def test_sharpness_falls_with_blur(batch):
    crop, area = batch.images[0, 0], torch.ones(1, SIZE, SIZE)
    soft = torch.nn.functional.avg_pool2d(crop[None], 5, 1, 2)[0]
    assert sharpness(soft, area) < 0.6 * sharpness(crop, area)


def test_yaw_of_rendered_faces(batch):
    truth = yaw_degrees(batch.truth.T_cam_model)
    found = yaw_degrees(head_pose(load_face_model(), batch.landmarks, SIZE))
    assert (found - truth).abs().max() < 10
    assert similarity_to_template(five_points(batch.landmarks[0, 0]), SIZE).shape == (2, 3)


def test_parsed_classes_become_skin():
    class Parser:
        def parse(self, image):
            classes = np.zeros(image.shape[:2], np.uint8)
            classes[:, SIZE // 2 :] = 10
            return classes

    mask = SkinParsing(Parser()).segment(torch.zeros(3, SIZE, SIZE), torch.zeros(68, 2))
    assert mask.shape == (1, SIZE, SIZE)
    assert mask[0, :, : SIZE // 2 - 2].eq(0).all()
    assert mask[0, :, SIZE // 2 + 2 :].eq(1).all()
