"""What is painted around and over faces, and what the camera does: functions of their numbers alone."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.photographs.crop import fit_similarity_2d, template, transform_points2d
from mgc_lightning.synthetic.anchors import face_anchors
from mgc_lightning.synthetic.backgrounds import draw_background, render_background
from mgc_lightning.synthetic.camera_noise import CameraNoise, adjust_colours, draw_camera
from mgc_lightning.synthetic.jpeg import compress
from mgc_lightning.synthetic.occluders import draw_occluder
from mgc_lightning.synthetic.poses import aligned_pose, head_rotation, misaligned_template
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.shapes import FACE, Shape, coverage, pack_shapes, paint, place_shapes

SETTINGS = SyntheticSettings()


def rows(*shapes: Shape) -> torch.Tensor:
    return torch.from_numpy(pack_shapes(list(shapes), len(shapes)))[None]


@pytest.mark.parametrize(("squareness", "area"), [(0.0, math.pi * 0.3 * 0.2), (1.0, 4 * 0.3 * 0.2)])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_shapes_cover_their_area(squareness, area, angle):
    shape = Shape(0.5, 0.45, 0.3, 0.2, (1, 1, 1), angle=angle, squareness=squareness)
    covered = coverage(rows(shape), 200).mean().item()
    assert covered == pytest.approx(area, rel=0.02)


def test_a_ring_is_empty_inside():
    opacity = coverage(rows(Shape(0.5, 0.5, 0.3, 0.3, (1, 1, 1), ring=0.05)), 100)[0, 0]
    assert opacity[50, 50] == 0
    assert opacity[50, 80] == 1
    assert opacity.mean() == pytest.approx(math.pi * (0.35**2 - 0.25**2), rel=0.02)


def test_paint_lays_the_last_shape_on_top():
    red, blue = Shape(0.5, 0.5, 0.3, 0.3, (1, 0, 0)), Shape(0.5, 0.5, 0.1, 0.1, (0, 0, 1), alpha=0.5)
    canvas, covered = paint(torch.zeros(1, 3, 50, 50), rows(red, blue))
    assert canvas[0, :, 25, 25].tolist() == [0.5, 0, 0.5]
    assert canvas[0, :, 25, 13].tolist() == [1, 0, 0]
    assert covered[0, 0, 25, 25] == 1
    assert covered[0, 0, 0, 0] == 0


def test_empty_places_paint_nothing():
    canvas = torch.rand(2, 3, 20, 20)
    painted, covered = paint(canvas, torch.from_numpy(pack_shapes([], 4)).expand(2, -1, -1))
    assert torch.equal(painted, canvas)
    assert covered.max() == 0
    with pytest.raises(MGCError, match="at most 1"):
        pack_shapes([Shape(0, 0, 1, 1, (0, 0, 0))] * 2, 1)


def test_shapes_follow_the_face():
    landmarks = torch.rand(2, 68, 2) * 50 + torch.tensor([[[20.0, 30.0]], [[40.0, 20.0]]])
    anchors = face_anchors(landmarks, 100)
    placed = place_shapes(rows(Shape(0, 0, 1, 1, (0, 0, 0), frame=FACE)).expand(2, -1, -1), anchors)
    middle = (landmarks.amax(1) + landmarks.amin(1)) / 200
    torch.testing.assert_close(placed[:, 0, :2], middle)


def test_backgrounds_vary_and_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    drawn = [draw_background(rng) for _ in range(24)]
    numbers = {name: torch.from_numpy(np.stack([one[name] for one in drawn])) for name in drawn[0]}
    anchors = face_anchors(torch.rand(24, 68, 2) * 40 + 28, 96)
    images = render_background(**numbers, anchors=anchors, size=96)
    assert images.shape == (24, 3, 96, 96)
    assert 0 <= images.min() <= images.max() <= 1
    assert images.mean((2, 3)).std(0).min() > 0.1
    alone = render_background(**{name: value[3:4] for name, value in numbers.items()}, anchors=anchors[3:4], size=96)
    torch.testing.assert_close(alone, images[3:4], atol=1e-5, rtol=0)


def test_every_kind_of_occluder_can_be_drawn():
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_occluder(rng, yaw) for yaw in np.linspace(-80, 80, 300)])
    assert np.isfinite(drawn).all()
    assert (drawn[..., 11].max(1) > 0).all()
    assert set(drawn[..., 12].astype(int).ravel()) == {0, 1, 2, 3, 4, 5}
    colours = drawn[..., 8:11][drawn[..., 11] > 0]
    assert colours.min() >= 0


def test_camera_without_strength_changes_nothing():
    numbers = draw_camera(np.random.default_rng(0), SyntheticSettings(camera_noise=0), 3, linked=False)
    images = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(CameraNoise()(images, torch.from_numpy(numbers)), images, atol=1e-6, rtol=0)


def test_camera_is_a_function_of_its_numbers_alone():
    rng = np.random.default_rng(0)
    numbers = torch.from_numpy(np.concatenate([draw_camera(rng, SETTINGS, 3, False) for _ in range(8)]))
    assert (numbers[:, 9] > 0).any(), "some are compressed"
    images = torch.rand(24, 3, 40, 40)
    camera = CameraNoise()
    together = camera(images, numbers)
    torch.manual_seed(99)
    for place in range(0, 24, 5):
        alone = camera(images[place : place + 1], numbers[place : place + 1])
        torch.testing.assert_close(alone[0], together[place], atol=1e-5, rtol=0)
    assert 0 <= together.min() <= together.max() <= 1


@pytest.mark.parametrize("quality", [25, 60, 90])
def test_compression_is_that_of_jpeg_files(quality):
    u, v = torch.meshgrid(torch.arange(75) / 75, torch.arange(75) / 75, indexing="xy")
    image = torch.stack([u, v, (1 + torch.sin(9 * u * v)) / 2]) * 0.8 + 0.1 * torch.rand(3, 75, 75)
    ours = compress(image[None], torch.tensor([float(quality)]))[0]
    file = io.BytesIO()
    pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    theirs = torch.from_numpy(np.asarray(Image.open(file))).permute(2, 0, 1) / 255
    lost = (theirs - image).square().mean().sqrt()
    assert ours.shape == image.shape
    assert (ours - theirs).square().mean().sqrt() < 0.3 * lost
    assert (ours - image).square().mean().sqrt() == pytest.approx(lost.item(), rel=0.1)


def test_noise_has_the_given_strength_and_place():
    camera = CameraNoise()
    noise = camera.noise(torch.tensor([[0, 0], [3, 5], [508, 508]]), 64)
    torch.testing.assert_close(noise[0, :, 3:, 5:], noise[1, :, :-3, :-5])
    torch.testing.assert_close(noise[0, :, :-1, :-1], noise[2, :, 1:, 1:])
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_linked_views_share_their_colours():
    rng = np.random.default_rng(0)
    linked = np.stack([draw_camera(rng, SETTINGS, 3, True) for _ in range(50)])[..., :6]
    single = np.stack([draw_camera(rng, SETTINGS, 3, False) for _ in range(50)])[..., :6]
    assert linked.std(1).mean() < 0.012 < 0.04 < single.std(1).mean()


def test_colour_changes_by_formula():
    images = torch.full((1, 3, 2, 2), 0.5)
    numbers = torch.tensor([[1.2, 1.0, 0.8, 1.0, 1.0, 1.0]])
    torch.testing.assert_close(adjust_colours(images, numbers)[0, :, 0, 0], torch.tensor([0.6, 0.5, 0.4]))
    numbers = torch.tensor([[1.2, 1.0, 0.8, 1.0, 0.0, 1.5]])
    torch.testing.assert_close(adjust_colours(images, numbers)[0, :, 0, 0], torch.full((3,), 0.375))


POINTS = torch.tensor([[-31.0, 33, 65], [31, 33, 65], [0, -12, 95], [-25, -33, 80], [25, -33, 80]])


@pytest.mark.parametrize("focal", [1000.0, 4700.0])
@pytest.mark.parametrize("size", [96, 224])
def test_aligned_poses_leave_nothing_to_align(focal, size):
    yaw, pitch = torch.linspace(-88, 88, 23), torch.linspace(30, -30, 23)
    K = intrinsics(size, focal)
    target = misaligned_template(torch.randn(23, 4) * torch.tensor([0.05, 0.05, 0.01, 0.01]), size)
    T = aligned_pose(head_rotation(yaw, pitch), POINTS.expand(23, -1, -1), target, K, distance=5000 * focal / 4700)
    pixels = project(transform_points(T, POINTS.expand(23, -1, -1)), K)
    left_over = fit_similarity_2d(pixels, target)
    moved = transform_points2d(left_over, template(size).expand(23, -1, -1)) - template(size)
    assert moved.abs().max() < 0.02
    R = T[:, :3, :3]
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand(23, 3, 3), atol=1e-5, rtol=0)
    assert (torch.linalg.det(R) > 0).all()


def test_alignment_keeps_the_viewing_direction_and_only_turns_about_the_axis():
    yaw, pitch = torch.tensor([40.0]), torch.tensor([10.0])
    rotation = head_rotation(yaw, pitch)
    T = aligned_pose(rotation, POINTS[None], template()[None], intrinsics(224), 5000.0)
    change = T[0, :3, :3] @ rotation[0].T
    torch.testing.assert_close(change[2], torch.tensor([0.0, 0.0, 1.0]), atol=1e-5, rtol=0)


def test_no_misalignment_is_the_template():
    torch.testing.assert_close(misaligned_template(torch.zeros(1, 4), 96)[0], template(96))
    moved = misaligned_template(torch.tensor([[math.log(1.1), 0, 0.01, 0]]), 224)[0]
    torch.testing.assert_close(moved, (template() - 112) * 1.1 + 112 + torch.tensor([2.24, 0]))
