"""Points and boxes that cannot be a face's are told from those of faces, however these are turned."""

import math

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.photographs.crop import five_points
from mgc_lightning.photographs.plausible import check_plausible_box, check_plausible_landmarks, face_misfit

SIZE = 224


def seen(yaw=0.0, pitch=0.0, roll=0.0, distance=1.0, expression=0.0):
    """Project the embedded head's points; degrees, and a share of the usual distance."""
    model = load_face_model()
    pose = model.main_pose.clone()
    pose[:3] += torch.tensor([roll, yaw, pitch]) * math.pi / 180
    pose[5] *= distance
    generator = torch.Generator().manual_seed(3)
    coefficients = expression * model.expression_sigma * torch.randn(len(model.expression_sigma), generator=generator)
    verts = model.shape(torch.zeros(model.layout.identity), coefficients)
    points = transform_points(pose_to_transform(pose), model.landmarks68(verts))
    return project(points, intrinsics(SIZE, 4700 * distance))


@pytest.mark.parametrize("count", [5, 68])
@pytest.mark.parametrize("yaw", [-85, -40, 0, 60, 90])
@pytest.mark.parametrize("pitch", [-30, 0, 30])
@pytest.mark.parametrize("distance", [0.08, 1.0])
def test_turned_rolled_and_near_faces_pass(count, yaw, pitch, distance):
    face = seen(yaw, pitch, distance=distance, expression=1.0)
    middle = torch.tensor([SIZE / 2, SIZE / 2])
    for roll in (0, 45, 90, 180, 270):
        c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        points = (face - middle) @ torch.tensor([[c, s], [-s, c]]) + middle
        points = points if count == 68 else five_points(points)
        assert check_plausible_landmarks(points, SIZE, SIZE) is points


def test_small_and_half_outside_faces_pass():
    face = seen()
    check_plausible_landmarks(face / 20 + 100, SIZE, SIZE)
    check_plausible_landmarks(face - torch.tensor([face[:, 0].median() - 2, 0.0]), SIZE, SIZE)


@pytest.mark.parametrize("count", [5, 68])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p / SIZE, r"points: all points lie between 0 and 1.*multiply x by its width \(224\)"),
        (lambda p: p / SIZE * 2 - 1, "between -1 and 1.*normalised"),
        (lambda p: p * torch.tensor([-1.0, 1.0]) + torch.tensor([SIZE, 0.0]), r"left and right.*x = 224 - x"),
        (lambda p: p * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, SIZE]), r"y looks counted upward.*y = 224 - y"),
        (lambda p: p * torch.tensor([1.0, -1.0]), "y looks counted upward.*minus sign"),
        (lambda p: p.flip(1), "x and y look exchanged"),
        (lambda p: p * 0 + 50, r"in one place, at \(50, 50\)"),
        (lambda p: p * 0, "in one place"),
        (lambda p: p.roll(1, 0), "do not lie like a face's.*Expected"),
        (lambda p: p + 2 * SIZE, "100% of the points lie outside the picture, which is 224 x 224 px.*another size"),
        (lambda p: p * 4, "outside the picture"),
        (lambda p: p - torch.tensor([150.0, 0.0]), "outside the picture"),
    ],
)
def test_what_seems_wrong_is_said(count, spoil, message):
    face = seen() if count == 68 else five_points(seen())
    with pytest.raises(MGCError, match=message):
        check_plausible_landmarks(spoil(face), SIZE, SIZE, name="points")


@pytest.mark.parametrize("order", [(1, 0, 2, 4, 3), (1, 0, 2, 3, 4), (2, 0, 1, 3, 4), (0, 1, 3, 4, 2), (3, 4, 2, 0, 1)])
def test_five_points_in_another_order(order):
    for yaw in (-60, -30, 0, 30, 60):
        with pytest.raises(MGCError, match="mirrored|do not lie like"):
            check_plausible_landmarks(five_points(seen(yaw))[list(order)], SIZE, SIZE)


def test_misfit_counts_neither_size_nor_place_nor_roll():
    face = seen(30)
    turned = face @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) * 7 + 1000
    torch.testing.assert_close(face_misfit(turned), face_misfit(face), atol=1e-3, rtol=0)
    assert face_misfit(torch.stack([face, turned])).shape == (2,)
    assert face_misfit(face) < 0.1
    assert face_misfit(torch.rand(68, 2, generator=torch.Generator().manual_seed(0))) > 0.6


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((5, 5, 5, 90), "place: expected x0 y0 x1 y1.*not a corner and a size"),
        ((170, 60, 105, 130), "x0 < x1"),
        ((0, 0, float("nan"), 4), "x0 < x1"),
        ((0.2, 0.1, 0.7, 0.8), "normalised.*width .400."),
        ((100, 100, 101, 101), "is 1 x 1 px, too small"),
        ((500, 60, 600, 160), "500 60 600 160 lies outside the picture, which is 400 x 300 px"),
        ((-200, -200, -100, -100), "outside"),
        ((-4800, -3600, 5200, 3900), "has 0.16% of its area in the picture"),
        ((390, 60, 490, 160), "area in the picture"),
    ],
)
def test_boxes_that_hold_no_face(box, message):
    with pytest.raises(MGCError, match=message):
        check_plausible_box(torch.tensor(box, dtype=torch.float32), 300, 400, name="place")


@pytest.mark.parametrize("box", [(170, 60, 275, 190), (0, 0, 400, 300), (-120, -90, 520, 390), (360, 60, 460, 190)])
def test_boxes_that_may_hold_a_face(box):
    given = torch.tensor(box, dtype=torch.float32)
    assert check_plausible_box(given, 300, 400) is given
