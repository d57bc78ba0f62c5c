"""Several photographs of one person: one identity for all, nearer to the truth than each alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import SIZE

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.pose import transform_to_pose
from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.same_person import WEIGHTS, refine_same_person
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

WORLD = SyntheticSettings(
    linked=1.0, unlinked=0.0, yaw_limit=30.0, pitch_sigma=2.0, occluders=0.0, camera_noise=0.0, alignment_jitter=0.0
)


@pytest.fixture(scope="module")
def person():
    return make_triplets(load_face_model(), [3], image_size=SIZE, focal=2000.0, settings=WORLD)


@pytest.fixture(scope="module")
def reconstructor(person):
    """Know the poses of the photographs and nothing else, as a network does that has begun to learn."""
    model = load_face_model()
    known = model.mean_coefficients(3)
    known.pose = transform_to_pose(person.truth.T_cam_model[0])

    def vector(crops):
        away = (crops[:, None] - person.images[0]).abs().flatten(2).mean(-1)
        return known.to_vector()[away.argmin(1)]

    return FaceReconstructor(Predictor(vector, model, SIZE, 2000.0, "poses"))


def neutral_error(reconstructor, faces, person):
    model = reconstructor.face_model
    shapes = torch.stack([model.shape(face.coefficients.identity) for face in faces])
    return vertex_distance(shapes, person.truth.verts_neutral[0], model.face_mask).mean()


@pytest.mark.parametrize("one_moment", [False, True])
def test_the_error_falls_and_the_identity_is_one(reconstructor, person, one_moment):
    images, landmarks = list(person.images[0]), list(person.landmarks[0])
    alone = reconstructor.reconstruct_batch(images, landmarks)
    counts = []
    faces = refine_same_person(
        reconstructor, images, landmarks, one_moment=one_moment, steps=40, learning_rate=0.1,
        on_step=lambda done, total: counts.append((done, total)),
    )  # fmt: skip
    assert counts == ([(step + 1, 40) for step in range(40)] if one_moment else [])
    mean_face = vertex_distance(
        reconstructor.face_model.mean.expand(3, -1, -1),
        person.truth.verts_neutral[0],
        reconstructor.face_model.face_mask,
    ).mean()
    error = neutral_error(reconstructor, faces, person)
    assert error < 0.8 * mean_face
    assert error < 0.8 * neutral_error(reconstructor, alone, person)
    for face in faces[1:]:
        torch.testing.assert_close(face.coefficients.identity, faces[0].coefficients.identity)
        torch.testing.assert_close(face.coefficients.albedo, faces[0].coefficients.albedo)
        assert not torch.allclose(face.coefficients.expression, faces[0].coefficients.expression, atol=1e-4)
    # Each face is where its photograph shows it, in the photographs' order.
    for face, points in zip(faces, landmarks, strict=True):
        assert (face.landmarks - points).norm(dim=-1).mean() < 2.0


def test_the_order_of_the_photographs_does_not_matter(reconstructor, person):
    images, landmarks = list(person.images[0]), list(person.landmarks[0])
    straight = refine_same_person(reconstructor, images, landmarks, one_moment=True, steps=3)
    turned = refine_same_person(reconstructor, images[::-1], landmarks[::-1], one_moment=True, steps=3)
    for a, b in zip(straight, turned[::-1], strict=True):
        torch.testing.assert_close(a.coefficients.pose, b.coefficients.pose, rtol=1e-3, atol=1e-2)


def test_a_sliding_jaw_counts_less_in_turned_heads(reconstructor, person):
    images, landmarks = list(person.images[0]), list(person.landmarks[0])
    bent = [points.clone() for points in landmarks]
    for points in bent:
        points[:17, 0] += 6
    straight = refine_same_person(reconstructor, images, bent, steps=2)
    sliding = refine_same_person(reconstructor, images, bent, sliding_jaw=True, steps=2)
    assert not torch.equal(straight[0].coefficients.identity, sliding[0].coefficients.identity)


def test_bad_input(reconstructor, person):
    images, landmarks = list(person.images[0]), list(person.landmarks[0])
    with pytest.raises(MGCError, match="Expected several photographs"):
        refine_same_person(reconstructor, images[:1], landmarks[:1])
    with pytest.raises(MGCError, match=r"68 landmarks.*number 2"):
        refine_same_person(reconstructor, images, [landmarks[0], landmarks[1][:5], landmarks[2]])


def test_command(network_file, person, tmp_path, capsys):
    for view in range(3):
        picture = (person.images[0, view].permute(1, 2, 0) * 255).byte().numpy()
        Image.fromarray(picture).save(tmp_path / f"{view}.png")
        (tmp_path / "points").mkdir(exist_ok=True)
        np.savetxt(tmp_path / "points" / f"{view}.txt", person.landmarks[0, view].numpy())

    def run(*more):
        common = ["reconstruct", f"{tmp_path}/*.png", "--landmarks", tmp_path / "points", "--checkpoint", network_file]
        with pytest.raises(SystemExit) as status:
            main([str(word) for word in [*common, "--output", tmp_path / "out", "--steps", 2, *more]])
        return status.value.code

    assert run("--same-person", "--one-moment") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0", "1", "2", "neutral.obj", "report.json"}
    identities = [json.loads((tmp_path / "out" / name / "coefficients.json").read_text())["identity"] for name in "012"]
    np.testing.assert_allclose(identities[1:], [identities[0]] * 2, atol=1e-6)
    assert run("--one-moment") == 2
    assert "--same-person" in capsys.readouterr().err
    np.savetxt(tmp_path / "points" / "1.txt", person.landmarks[0, 1, :5].numpy())
    assert run("--same-person") == 2
    assert "1.png has five" in capsys.readouterr().err


def test_the_comparison_of_views_keeps_what_landmarks_say_where_it_says_nothing():
    """The prior of the objective is about the start: with no other term, identity stays where landmarks brought it."""
    reconstructor = FaceReconstructor.from_pretrained()
    batch = make_triplets(load_face_model(), [3], image_size=128)
    images, marks = list(batch.images[0]), list(batch.landmarks[0])
    alone = refine_same_person(reconstructor, images, marks)
    nothing = replace(WEIGHTS, landmark=0.0, pixel=0.0, depth=0.0, epipolar=0.0, prior_identity=1.0)
    compared = refine_same_person(reconstructor, images, marks, one_moment=True, steps=3, weights=nothing)
    torch.testing.assert_close(compared[0].coefficients.identity, alone[0].coefficients.identity, atol=1e-4, rtol=0)
