"""Pictures that differ as photographs differ: cameras, crops, hair, glasses, skin, lamps, backgrounds."""

import dataclasses
import math

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import rigid, transform_points
from mgc_lightning.photographs.box import similarity_from_box, similarity_from_boxes
from mgc_lightning.photographs.crop import five_points
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.head import has_head
from mgc_lightning.synthetic.leaves import Leaves
from mgc_lightning.synthetic.occlusion import ambient_occlusion, light_frame, lit_share, shadow_maps, to_light
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.viewpoint import nominal_rotation

FACE_MODEL = load_face_model()
PLAIN = SyntheticSettings(linked=0, unlinked=0, occluders=0, camera_noise=0, alignment_jitter=0, yaw_limit=30)
FULL = SyntheticSettings.photographic()


def make(count=4, size=64, settings=PLAIN, views=1, **changes):
    return make_triplets(
        FACE_MODEL, count, image_size=size, settings=dataclasses.replace(settings, **changes), views=views
    )


def test_photographic_pictures_are_finite_and_do_not_depend_on_the_batch():
    together = make(6, settings=FULL)
    assert together.images.isfinite().all()
    assert 0 <= together.images.min() <= together.images.max() <= 1
    assert 0 <= together.skin.min() <= together.skin.max() <= 1
    alone = make_triplets(FACE_MODEL, [4], image_size=64, settings=FULL, views=1)
    torch.testing.assert_close(alone.images[0], together.images[4], atol=2e-3, rtol=0)
    torch.testing.assert_close(alone.landmarks[0], together.landmarks[4], atol=1e-3, rtol=0)


def test_what_is_worn_changes_pictures_and_never_the_truth():
    bare, dressed = make(6), make(6, hair=1.0, hats=0.3, glasses=1.0, skin_detail=1.0, gloss=1.0)
    for name in ("verts_neutral", "verts_posed", "T_cam_model"):
        torch.testing.assert_close(getattr(bare.truth, name), getattr(dressed.truth, name))
    torch.testing.assert_close(bare.landmarks, dressed.landmarks)
    assert (bare.images - dressed.images).abs().mean() > 0.02
    assert dressed.skin.sum() < 0.97 * bare.skin.sum()


@pytest.mark.parametrize(
    "absent", ["hair", "hats", "glasses", "skin_detail", "gloss", "shadows", "natural_backgrounds"]
)
def test_every_part_of_a_photograph_can_be_left_out(absent):
    settings = dataclasses.replace(SyntheticSettings.photographic(), **{absent: 0.0})
    assert torch.isfinite(make(2, size=32, settings=settings).images).all()


def test_a_near_camera_keeps_the_size_of_the_face_and_widens_the_nose():
    far, near = make(8), make(8, camera_distance=(400.0, 400.0))

    def width(batch, left, right):
        points = batch.landmarks[:, 0]
        return (points[:, right] - points[:, left]).norm(dim=-1)

    torch.testing.assert_close(width(near, 36, 45), width(far, 36, 45), atol=2.5, rtol=0)
    nose_to_jaw = [width(batch, 31, 35) / width(batch, 2, 14) for batch in (near, far)]
    assert (nose_to_jaw[0] > 1.04 * nose_to_jaw[1]).all()
    # Networks assume the far camera: the truth's pose is stated in it.
    torch.testing.assert_close(near.K, far.K)
    assert (near.truth.T_cam_model[..., 2, 3] > 4000).all()


def test_the_nominal_pose_puts_the_five_points_where_the_picture_has_them():
    batch = make(12, camera_distance=(1500.0, 5000.0), off_axis=6.0)
    points = five_points(FACE_MODEL.landmarks68(batch.truth.verts_posed))
    seen = project(transform_points(batch.truth.T_cam_model, points), batch.K)
    assert (seen - five_points(batch.landmarks)).norm(dim=-1).max() < 1.5


def test_a_face_off_the_axis_shows_the_side_that_is_turned_to_the_lens():
    for angle in (0.0, 0.2, -0.3):
        away = torch.tensor([[math.sin(angle), 0.0, math.cos(angle)]]) * 900
        turn = nominal_rotation(rigid(torch.eye(3)[None], away))[0]
        c, s = math.cos(angle), math.sin(angle)
        expected = torch.tensor([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
        torch.testing.assert_close(turn, expected, atol=1e-6, rtol=0)


def test_crops_by_boxes_keep_the_roll_and_differ_in_size():
    boxed, pointed = make(24, boxes=1.0, roll=15.0, alignment_jitter=1.0), make(24, roll=15.0, alignment_jitter=1.0)

    def roll(batch):
        eyes = five_points(batch.landmarks[:, 0])
        across = eyes[:, 1] - eyes[:, 0]
        return torch.rad2deg(torch.atan2(across[:, 1], across[:, 0]))

    assert roll(boxed).std() > 8
    assert roll(pointed).abs().max() < 8
    boxes = torch.tensor([[10.0, 20.0, 60.0, 90.0], [0.0, 0.0, 30.0, 30.0]])
    target = torch.tensor([5.0, 5.0, 50.0, 58.0])
    many = similarity_from_boxes(boxes, target)
    for box, matrix in zip(boxes, many, strict=True):
        torch.testing.assert_close(similarity_from_box(box, target), matrix)


def plane(height, half, count=9):
    axis = torch.linspace(-half, half, count)
    x, z = torch.meshgrid(axis, axis, indexing="ij")
    verts = torch.stack([x.flatten(), torch.full((count * count,), float(height)), z.flatten()], -1)
    a = (torch.arange(count - 1)[:, None] * count + torch.arange(count - 1)).flatten()
    return verts, torch.cat([torch.stack([a, a + 1, a + count], 1), torch.stack([a + 1, a + count + 1, a + count], 1)])


def test_a_small_plane_under_a_lamp_casts_its_shadow():
    floor, floor_faces = plane(-60, 120)
    roof, roof_faces = plane(40, 30)
    verts = torch.cat([floor, roof])[None]
    faces = torch.cat([floor_faces, roof_faces + len(floor)])
    frame = light_frame(torch.tensor([[0.0, 1.0, 0.0]]))
    maps = shadow_maps(verts, faces, frame)
    below, beside, on_top = [0.0, -60.0, 0.0], [90.0, -60.0, 0.0], [0.0, 40.0, 0.0]
    where = to_light(torch.tensor([[below, beside, on_top]]), frame, 128)[0].T
    lit = lit_share(maps, where, torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(lit, torch.tensor([0.0, 1.0, 1.0]))


def test_nostrils_are_dark_and_the_nose_is_in_the_open():
    open_ = ambient_occlusion(FACE_MODEL.mean, FACE_MODEL.faces_without("teeth"))
    assert 0 <= open_.min() <= open_.max() <= 1
    tip = FACE_MODEL.landmarks68_index[30, 0]
    assert open_[tip] > 0.9
    assert open_[FACE_MODEL.region("mouth_interior")].mean() < 0.35
    assert open_[FACE_MODEL.region("forehead")].mean() > 0.9


def test_backgrounds_have_the_spectrum_of_photographs():
    leaves = Leaves()
    grey = leaves.tiles.mean(1)
    power = torch.fft.fft2(grey - grey.mean((1, 2), keepdim=True)).abs().square().mean(0)
    size = grey.shape[-1]
    frequency = torch.fft.fftfreq(size, 1 / size)
    radius = torch.hypot(frequency[:, None], frequency[None])
    rings = torch.stack([power[(radius >= low) & (radius < low * 1.5)].mean() for low in (3, 6, 12, 24)])
    slope = torch.log(rings[-1] / rings[0]) / math.log(24 / 3)
    # Photographs fall with about the square of the frequency (Field 1987).
    assert -3 < slope < -1.3
    again = Leaves()
    torch.testing.assert_close(leaves.tiles, again.tiles)


@pytest.mark.parametrize(
    "wrong",
    [{"camera_distance": (100.0, 900.0)}, {"hair": 1.5}, {"supersampling": 0.5}, {"roll": -1.0}, {"monochrome": 2.0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(MGCError, match=next(iter(wrong))):
        dataclasses.replace(PLAIN, **wrong)


def test_other_face_models_do_without_a_head():
    assert has_head(FACE_MODEL)
    assert intrinsics(64).shape == (3, 3)
