"""Finished triplets: truth, alignment, skin, links, independence of batching."""

import pytest
import torch

from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import relative_transform, transform_points
from mgc_lightning.photographs.crop import five_points, similarity_to_template, template, transform_points2d
from mgc_lightning.rendering.rasterizers import get_rasterizer
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.generator import TripletGenerator, skin_probability, soften
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.settings import SyntheticSettings

FACE_MODEL = load_face_model()
CLEAN = SyntheticSettings(linked=1, unlinked=0, occluders=0, camera_noise=0, alignment_jitter=0)


def make(count=6, settings=CLEAN, size=64, **options) -> FaceTriplet:
    return make_triplets(FACE_MODEL, count, image_size=size, settings=settings, **options)


@pytest.fixture(scope="module")
def clean() -> FaceTriplet:
    return make(12, size=96)


def test_shapes_names_and_ranges(clean):
    assert clean.images.shape == (12, 3, 3, 96, 96)
    assert clean.skin.shape == clean.truth.depth.shape == (12, 3, 1, 96, 96)
    assert clean.landmarks.shape == (12, 3, 68, 2)
    assert clean.K.shape == (12, 3, 3, 3)
    assert clean.truth.verts_posed.shape == (12, 3, FACE_MODEL.num_verts, 3)
    assert clean.link.tolist() == [2] * 12
    assert clean.sample_id[7] == "synthetic/test/00000007"
    for tensor in (clean.images, clean.skin):
        assert 0 <= tensor.min() <= tensor.max() <= 1
    assert all(tensor.dtype == torch.float32 for tensor in (clean.images, clean.landmarks, clean.truth.depth))


@pytest.mark.parametrize("focal", [1000.0, 4700.0])
def test_landmarks_are_the_projected_truth(focal):
    batch = make(focal=focal)
    points = transform_points(batch.truth.T_cam_model, FACE_MODEL.landmarks68(batch.truth.verts_posed))
    torch.testing.assert_close(project(points, batch.K), batch.landmarks, atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.K[0, 0], intrinsics(64, focal))


@pytest.mark.parametrize("focal", [1000.0, 4700.0])
def test_crops_are_aligned_whatever_the_focal_length(focal):
    batch = make(focal=focal)
    fit = similarity_to_template(five_points(batch.landmarks), 64)
    points = template(64).expand(*fit.shape[:-2], -1, -1)
    assert (transform_points2d(fit, points) - points).abs().max() < 0.05
    torch.testing.assert_close(
        batch.truth.T_cam_model[..., 2, 3] / focal, torch.full((6, 3), 5061.9 / 4700), atol=0, rtol=0.25
    )


def test_alignment_jitter_is_small():
    batch = make(settings=SyntheticSettings(linked=1, unlinked=0), size=224)
    fit = similarity_to_template(five_points(batch.landmarks))
    points = template().expand(*fit.shape[:-2], -1, -1)
    moved = (transform_points2d(fit, points) - points).norm(dim=-1).mean(-1)
    assert 0.3 < moved.mean() < 5


def test_depth_is_camera_z_of_the_surface(clean):
    tip = FACE_MODEL.landmarks68(clean.truth.verts_posed)[..., 30, :]
    z = transform_points(clean.truth.T_cam_model, tip[:, :, None])[..., 0, 2]
    pixel = clean.landmarks[..., 30, :].long()
    for sample in range(12):
        u, v = pixel[sample, 0]
        if abs(clean.truth.T_cam_model[sample, 0, 0, 2]) < 0.5:
            assert abs(clean.truth.depth[sample, 0, 0, v, u] - z[sample, 0]) < 4
    assert (clean.truth.depth == 0).any()


def test_linked_views_show_one_surface_from_several_sides(clean):
    verts = clean.truth.verts_posed
    assert torch.equal(verts[:, 0], verts[:, 1])
    assert torch.equal(verts[:, 0], verts[:, 2])
    relative = relative_transform(clean.truth.T_cam_model[:, 0], clean.truth.T_cam_model[:, 1])
    moved = transform_points(relative, transform_points(clean.truth.T_cam_model[:, 0], verts[:, 0]))
    seen = transform_points(clean.truth.T_cam_model[:, 1], verts[:, 1])
    torch.testing.assert_close(moved, seen, atol=5e-3, rtol=0)
    angle = torch.arccos(((relative[:, :3, :3].diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2).clamp(-1, 1)).rad2deg()
    assert (angle > 5).all()
    assert (angle < 45).all()


def test_unlinked_views_are_one_person_in_other_moments():
    truth = make(settings=SyntheticSettings(linked=0, unlinked=1)).truth
    assert torch.equal(truth.verts_neutral[:, 0], truth.verts_neutral[:, 1])
    assert not torch.equal(truth.verts_posed[:, 0], truth.verts_posed[:, 1])


def test_single_views_are_several_persons():
    batch = make(settings=SyntheticSettings(linked=0, unlinked=0))
    assert batch.link.tolist() == [0] * 6
    assert (batch.truth.verts_neutral[:, 0] - batch.truth.verts_neutral[:, 1]).norm(dim=-1).mean() > 1


def test_pixels_do_not_depend_on_the_batch():
    settings = SyntheticSettings()
    together = make(range(9), settings)
    for index in (2, 8):
        alone = make([index], settings)
        assert alone.sample_id == [together.sample_id[index]]
        difference = (alone.images[0] - together.images[index]).abs()
        # Rounding of batched products may move an edge by a pixel, no more.
        assert difference.mean() < 1e-5
        torch.testing.assert_close(alone.landmarks[0], together.landmarks[index], atol=1e-3, rtol=0)


def test_splits_have_other_people():
    train, val = make(2, split="train"), make(2, split="val")
    assert (train.truth.verts_neutral - val.truth.verts_neutral).norm(dim=-1).mean() > 1


def test_skin_excludes_eyes_and_mouth_and_background():
    frontal = SyntheticSettings(
        linked=1, unlinked=0, yaw_limit=5, yaw_step=(0, 1), pitch_sigma=1, occluders=0, expression=0
    )
    batch = make(4, frontal, size=224)
    for sample in range(4):
        points = batch.landmarks[sample, 0]
        skin = batch.skin[sample, 0, 0]

        def at(*places: int, points=points, skin=skin) -> float:
            u, v = points[list(places)].mean(0).long()
            return skin[v, u].item()

        assert at(*range(36, 42)) == 0, "right eye"
        assert at(*range(42, 48)) == 0, "left eye"
        assert at(2, 31) == 1, "cheek"
        assert at(14, 35) == 1, "cheek"
        assert at(30) == 1, "nose"
        assert at(8, 57) == 1, "chin"
    assert (batch.skin * (batch.truth.depth == 0)).max() == 0
    assert 0.15 < batch.skin.mean() < 0.6


def test_an_open_mouth_is_not_skin():
    skin = skin_probability(FACE_MODEL)
    assert skin[FACE_MODEL.region("mouth_interior")].max() == 0
    assert skin[FACE_MODEL.region("cheek_l")].min() == 1
    assert 0 < skin[FACE_MODEL.region("brow_l")].max() < 0.5


def test_occluders_cover_skin_but_not_landmarks():
    settings = SyntheticSettings(linked=1, unlinked=0, camera_noise=0)
    free = make(10, settings=SyntheticSettings(**{**vars(settings), "occluders": 0}))
    hidden = make(10, settings=SyntheticSettings(**{**vars(settings), "occluders": 1}))
    torch.testing.assert_close(hidden.landmarks, free.landmarks)
    covered = ((hidden.images - free.images).abs().amax(2, keepdim=True) > 0.25) & (free.skin == 1)
    assert covered.float().mean() > 0.01
    assert hidden.skin[covered].mean() < 0.3
    assert (hidden.skin <= free.skin + 1e-6).all()


def test_landmark_noise_moves_landmarks_only():
    plain = make(8)
    noisy = make(8, SyntheticSettings(**{**vars(CLEAN), "landmark_noise": 2.0}))
    assert torch.equal(noisy.images, plain.images)
    assert (noisy.landmarks - plain.landmarks).std().item() == pytest.approx(2.0 * 64 / 224, rel=0.1)


def test_edges_of_the_mask_are_soft():
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 4:] = 1
    soft = soften(mask)
    assert soft[..., 3].max() == 0
    torch.testing.assert_close(soft[..., 4], torch.full((1, 1, 9), 2 / 3))
    assert soft[..., 5:].min() == 1


def test_the_fine_mesh_gives_the_same_picture():
    coarse = make(2, size=96)
    fine = make_triplets(load_face_model(level=1), 2, image_size=96, settings=CLEAN)
    assert fine.truth.verts_posed.shape[2] > coarse.truth.verts_posed.shape[2]
    assert (fine.landmarks - coarse.landmarks).abs().max() < 1
    assert (fine.images - coarse.images).abs().mean() < 0.03


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pixels_agree_between_devices():
    settings = SyntheticSettings()
    cpu, cuda = make(6, settings), make(6, settings, device="cuda")
    assert cuda.images.device.type == cuda.truth.depth.device.type == "cuda"
    torch.testing.assert_close(cuda.landmarks.cpu(), cpu.landmarks, atol=2e-3, rtol=0)
    difference = (cuda.images.cpu() - cpu.images).abs()
    assert difference.mean() < 1e-4
    assert (difference > 0.02).float().mean() < 1e-3


def test_no_tensor_is_made_on_another_device(monkeypatch):
    def on_cpu(name, device):
        def rasterize(*arguments):
            with torch.device("cpu"):
                return get_rasterizer(name, device)(*arguments)

        return rasterize

    monkeypatch.setattr("mgc_lightning.rendering.renderer.get_rasterizer", on_cpu)
    settings = SyntheticSettings(occluders=1)
    generator = TripletGenerator(FACE_MODEL, 32)
    sampler = LatentSampler(FACE_MODEL, generator.complexion, settings)
    drawn = [sampler.draw("test", index) for index in range(12)]
    latents = {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}
    expected = generator(latents)
    # Whatever is made without naming the latents' device lands on `meta` here, and cannot mix with the rest.
    with torch.device("meta"):
        batch = generator(latents)
    assert {batch.images.device.type, batch.skin.device.type, batch.landmarks.device.type} == {"cpu"}
    torch.testing.assert_close(batch.images, expected.images)
