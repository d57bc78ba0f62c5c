"""From photograph to face: alignment, both cameras, every kind of checkpoint."""

import subprocess
import sys

import pytest
import torch
from tiny_networks import ROLLED, SIZE, face_points, make_network

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.networks.predictor import Predictor, load_predictor
from mgc_lightning.photographs.box import mean_face_box, similarity_from_box
from mgc_lightning.photographs.crop import five_points, transform_points2d
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor


def test_both_cameras_see_the_same_landmarks(reconstructor, photo):
    face = reconstructor.reconstruct(photo, landmarks=ROLLED)
    in_crop = project(transform_points(face.T_crop_model, face.landmarks3d), face.K_crop)
    in_image = project(transform_points(face.T_cam_model, face.landmarks3d), face.K)
    torch.testing.assert_close(in_crop, face.landmarks_crop, atol=1e-3, rtol=0)
    torch.testing.assert_close(in_image, face.landmarks, atol=1e-2, rtol=0)
    torch.testing.assert_close(
        transform_points2d(face.crop_from_image, face.landmarks), face.landmarks_crop, atol=1e-3, rtol=0
    )
    R = face.T_cam_model[:3, :3]
    torch.testing.assert_close(R @ R.T, torch.eye(3), atol=1e-5, rtol=0)
    assert R.det() == pytest.approx(1.0, abs=1e-5)
    assert not torch.allclose(R, face.T_crop_model[:3, :3], atol=0.1)  # the photograph is rolled
    assert face.K[0, 0] == face.K[1, 1]
    assert face.K[0, 1] == 0


def test_shapes_and_colours(reconstructor, photo):
    face = reconstructor.reconstruct(photo, landmarks=ROLLED)
    count = reconstructor.face_model.num_verts
    assert face.crop.shape == (3, SIZE, SIZE)
    assert face.mesh.verts.shape == face.mesh.normals.shape == face.colors.shape == (count, 3)
    assert face.coefficients.pose.shape == (6,)
    assert 0 <= face.colors.min() <= face.colors.max() <= 1


def test_five_points_and_sixty_eight_agree(reconstructor, photo):
    landmarks = face_points(30) + 100
    a = reconstructor.reconstruct(photo, landmarks=landmarks)
    b = reconstructor.reconstruct(photo, landmarks=five_points(landmarks).numpy())
    torch.testing.assert_close(a.mesh.verts, b.mesh.verts)


def test_landmarks_may_be_a_file(reconstructor, photo, tmp_path):
    file = tmp_path / "points.txt"
    file.write_text("\n".join(f"{x} {y}" for x, y in ROLLED.tolist()))
    expected = reconstructor.reconstruct(photo, landmarks=ROLLED)
    for given in (file, str(file)):
        torch.testing.assert_close(reconstructor.reconstruct(photo, landmarks=given).mesh.verts, expected.mesh.verts)
    with pytest.raises(MGCError, match=r"none\.txt: no such landmark file"):
        reconstructor.reconstruct(photo, landmarks=str(tmp_path / "none.txt"))


def test_box_of_the_mean_face_gives_the_crop_itself(reconstructor):
    model = reconstructor.face_model
    box = mean_face_box(model, SIZE)
    assert 0 < box[0] < SIZE / 2 < box[2] < SIZE
    torch.testing.assert_close(similarity_from_box(box, box), torch.eye(3)[:2], atol=1e-5, rtol=0)
    image = torch.rand(3, SIZE, SIZE)
    (crop,) = reconstructor.crop([image], similarity_from_box(box, box)[None])
    torch.testing.assert_close(crop, image, atol=1e-3, rtol=0)
    moved = similarity_from_box(box * 2 + 10, box)
    torch.testing.assert_close(moved[:, :2], torch.eye(2) / 2)


def test_batch_equals_one_by_one(reconstructor, photo):
    photos = [photo, photo.flip(2)[:, :200], photo.flip(1)]
    boxes = [None, (100, 80, 160, 150), None]
    landmarks = [ROLLED, None, ROLLED + 5]
    together = reconstructor.reconstruct_batch(photos, landmarks, boxes, batch_size=2)
    for image, points, box, face in zip(photos, landmarks, boxes, together, strict=True):
        alone = reconstructor.reconstruct(image, points, box)
        torch.testing.assert_close(face.mesh.verts, alone.mesh.verts, atol=1e-3, rtol=1e-5)
        torch.testing.assert_close(face.landmarks, alone.landmarks, atol=1e-2, rtol=1e-5)


@pytest.mark.parametrize("name", ["best.ckpt", "network.safetensors", "network.onnx", "network.pt2", "."])
def test_every_form_gives_the_same_face(exports, reconstructor, photo, name):
    expected = reconstructor.reconstruct(photo, landmarks=ROLLED)
    loaded = FaceReconstructor.load(exports / name)
    found = loaded.reconstruct_batch([photo] * 3, [ROLLED] * 3)[2]
    torch.testing.assert_close(found.mesh.verts, expected.mesh.verts, atol=1e-2, rtol=0)
    torch.testing.assert_close(found.landmarks, expected.landmarks, atol=1e-2, rtol=0)
    assert FaceReconstructor.load(exports / name, level=1).face_model.level == 1


@pytest.mark.parametrize("name", ["a.onnx", "a.pt2"])
def test_foreign_exports(tmp_path, name):
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(MGCError, match="or damaged"):
        load_predictor(tmp_path / name)


class TwoFaces:
    """Detect the faces that it was given."""

    def __init__(self, landmarks):
        self.landmarks = landmarks

    def detect(self, image, path=None):
        return [DetectedFace(points) for points in self.landmarks]


def test_detector_plugs_in(photo):
    small, large = face_points(30) + 80, face_points(60) + 80
    predictor = Predictor.from_network(make_network())
    reconstructor = FaceReconstructor(predictor, detector=TwoFaces([small, large]))
    expected = FaceReconstructor(predictor).reconstruct_batch([photo, photo], [large, small])
    torch.testing.assert_close(reconstructor.reconstruct(photo).mesh.verts, expected[0].mesh.verts)
    for found, face in zip(reconstructor.reconstruct_all(photo), expected, strict=True):
        torch.testing.assert_close(found.mesh.verts, face.mesh.verts, atol=1e-3, rtol=1e-5)
    nobody = FaceReconstructor(predictor, detector=TwoFaces([]))
    assert nobody.reconstruct_all(photo) == []
    with pytest.raises(MGCError, match="No face was found"):
        nobody.reconstruct(photo)


def test_bad_input(reconstructor, photo):
    with pytest.raises(MGCError, match="`landmarks`.*`box`.*`detector`"):
        reconstructor.reconstruct(photo)
    with pytest.raises(MGCError, match="not both"):
        reconstructor.reconstruct(photo, landmarks=ROLLED, box=(1, 2, 3, 4))
    with pytest.raises(MGCError, match="5 or 68"):
        reconstructor.reconstruct(photo, landmarks=ROLLED[:4])
    with pytest.raises(MGCError, match="landmarks: all points lie in one place"):
        reconstructor.reconstruct(photo, landmarks=torch.full((5, 2), 50.0))
    with pytest.raises(MGCError, match="landmarks: .*left and right"):
        reconstructor.reconstruct(photo, landmarks=ROLLED[[1, 0, 2, 4, 3]])
    with pytest.raises(MGCError, match="number 2 of 5.*nan"):
        reconstructor.reconstruct(photo, landmarks=torch.where(torch.arange(5)[:, None] == 1, torch.nan, ROLLED))
    for box in ((5, 5, 5, 9), (9, 9, 1, 1), (0, 0, float("nan"), 4)):
        with pytest.raises(MGCError, match="box: expected x0 y0 x1 y1"):
            reconstructor.reconstruct(photo, box=box)
    for wrong in ("points", [["a", "b"]], [[1.0, 2.0], [3.0]]):
        with pytest.raises(MGCError, match="landmark"):
            reconstructor.reconstruct(photo, landmarks=wrong)
    with pytest.raises(MGCError, match="`box`: expected x0, y0, x1, y1 in px, got '1 2 3 4'"):
        reconstructor.reconstruct(photo, box="1 2 3 4")
    with pytest.raises(MGCError, match="must be as many"):
        reconstructor.reconstruct_batch([photo], [ROLLED, ROLLED])


def test_reconstruction_needs_no_lightning():
    code = (
        "import sys, mgc_lightning.reconstruction.reconstructor, mgc_lightning.reconstruction.run\n"
        "assert not any(name in sys.modules for name in ('lightning', 'pytorch_lightning', 'wandb'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
