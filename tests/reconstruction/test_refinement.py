"""Refining by what a detector finds: 68 landmarks, or the vertices of its mesh."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mgc_lightning.errors import MissingExtraError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting import mesh_points
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction import places
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.reconstruction.run import reconstruct
from mgc_lightning.reconstruction.same_person import refine_same_person
from mgc_lightning.reconstruction.settings import ReconstructSettings, WhereSettings
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

SIZE = 192
FAR = SyntheticSettings(linked=0.0, unlinked=1.0, yaw_limit=25.0, occluders=0.0, alignment_jitter=0.0)


class Person:
    """One person in three photographs, and a detector that finds the embedded head's own points and mesh."""

    def __init__(self) -> None:
        self.model = load_face_model()
        self.batch = make_triplets(self.model, [5], image_size=SIZE, settings=FAR)
        truth, K = self.batch.truth, intrinsics(SIZE)
        points = mesh_points(self.model)
        placed = self.model.mean.double()
        nearest = torch.cdist(points.points.mean, placed).argmin(1)
        cam = transform_points(truth.T_cam_model[0], truth.verts_posed[0])
        on_surface = points.points.mean - placed[nearest]
        self.meshes = torch.full((3, 468, 2), torch.nan)
        moved = cam[:, nearest] + torch.einsum("vij,pj->vpi", truth.T_cam_model[0, :, :3, :3].double(), on_surface).to(
            cam
        )
        self.meshes[:, points.vertices] = project(moved, K)
        self.images, self.landmarks = list(self.batch.images[0]), list(self.batch.landmarks[0])

    def detect(self, image, path=None):
        number = int(torch.stack([(image - other).abs().mean() for other in self.images]).argmin())
        return [DetectedFace(self.landmarks[number], mesh=self.meshes[number])]

    def error(self, faces):
        shapes = torch.stack([self.model.shape(face.coefficients.identity) for face in faces])
        return vertex_distance(shapes, self.batch.truth.verts_neutral[0, : len(faces)], self.model.face_mask).mean()


@pytest.fixture(scope="module")
def person():
    return Person()


@pytest.fixture(scope="module")
def found(person):
    reconstructor = FaceReconstructor.from_pretrained(detector=person)
    return reconstructor, reconstructor.reconstruct_batch(person.images)


def test_faces_keep_the_mesh_that_was_detected(person, found):
    for face, mesh in zip(found[1], person.meshes, strict=True):
        assert torch.equal(torch.nan_to_num(face.detected_mesh), torch.nan_to_num(mesh))
    refined = refine(*found)
    assert torch.equal(torch.nan_to_num(refined[2].detected_mesh), torch.nan_to_num(person.meshes[2]))


def test_a_mesh_brings_a_shape_that_the_network_does_not_know_nearer_than_landmarks(person, found):
    reconstructor, faces = found
    # The shares of a network that knows little of people; a calibrated one is trusted whole.
    predictor = replace(reconstructor.predictor, calibrated=None)
    reconstructor = FaceReconstructor(predictor, person)
    mean = [
        replace(face, coefficients=replace(face.coefficients, identity=0 * face.coefficients.identity))
        for face in faces
    ]
    by_landmarks = refine(reconstructor, mean, person.landmarks)
    by_mesh = refine(reconstructor, mean)
    assert person.error(by_mesh) < 0.95 * person.error(by_landmarks)


def test_what_becomes_of_a_face_does_not_depend_on_its_neighbours(found):
    reconstructor, faces = found
    mixed = [replace(faces[0], detected_mesh=None), *faces[1:]]
    together = refine(reconstructor, mixed)
    alone = [refine(reconstructor, [face])[0] for face in mixed]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one.coefficients.identity, other.coefficients.identity, atol=1e-4, rtol=0)
    assert (together[0].coefficients.identity - refine(*found)[0].coefficients.identity).abs().max() > 0.05


def test_several_photographs_of_one_person_use_their_meshes(person, found):
    reconstructor, faces = found
    several = refine_same_person(reconstructor, person.images, person.landmarks, meshes=list(person.meshes))
    assert torch.equal(several[0].coefficients.identity, several[2].coefficients.identity)
    assert person.error(several) < person.error(refine(reconstructor, faces))
    assert person.error(several) < person.error(refine_same_person(reconstructor, person.images, person.landmarks))


class Finder:
    """Find the mesh of the person around landmarks that are the person's."""

    def __init__(self, person) -> None:
        self.person, self.asked = person, 0

    def around(self, image, landmarks):
        self.asked += 1
        number = int(torch.stack([(image - other).abs().mean() for other in self.person.images]).argmin())
        return self.person.meshes[number]


def test_a_mesh_is_found_around_landmarks_whoever_gave_them(person, tmp_path, monkeypatch):
    finder = Finder(person)
    monkeypatch.setattr(places, "mesh_finder", lambda: finder)
    pixels = (person.images[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "anna.png")
    np.savetxt(tmp_path / "anna.txt", person.landmarks[0].numpy())
    where = ReconstructSettings(landmarks=tmp_path / "anna.txt", write=("coefficients",))
    found = {}
    for mesh in ("auto", "yes", "no"):
        settings = replace(where, mesh=mesh)
        report = reconstruct(tmp_path / "anna.png", tmp_path / mesh, None, settings, keep_faces=True)
        row = json.loads(report.path.read_text())["done"][0]
        assert (row["refined"], row.get("mesh", False)) == (True, mesh != "no")
        found[mesh] = report.done[0].face.coefficients.identity
    assert finder.asked == 2
    assert torch.equal(found["auto"], found["yes"])
    assert (found["yes"] - found["no"]).abs().max() > 0.05


def test_without_the_extra_faces_follow_their_landmarks_unless_a_mesh_is_wanted(person, monkeypatch):
    def missing():
        raise MissingExtraError("`mediapipe` is needed here: pip install 'mgc-lightning[detector]'")

    monkeypatch.setattr(places, "mesh_finder", missing)
    reconstructor = FaceReconstructor.from_pretrained(detector=person)
    with pytest.raises(MissingExtraError, match="mgc-lightning"):
        places.FaceFinder(reconstructor, WhereSettings(), "yes")
    finder = places.FaceFinder(reconstructor, WhereSettings(), "auto")
    assert finder._mesh(person.images[0], person.landmarks[0], None) is None
    mesh = person.meshes[0]
    assert finder._mesh(person.images[0], person.landmarks[0], mesh) is mesh


def test_a_person_without_a_mesh_in_one_photograph_is_said_to_follow_none(person, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "mesh_finder", lambda: Finder(person))
    for number, name in enumerate(("anna", "berta", "carla")):
        pixels = (person.images[number].permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        np.savetxt(tmp_path / f"{name}.txt", person.landmarks[number].numpy())
    photographs = sorted(tmp_path.glob("*.png"))
    settings = ReconstructSettings(landmarks=tmp_path, same_person=True, write=("coefficients",))
    report = reconstruct(photographs, tmp_path / "all", None, settings)
    assert [row["mesh"] for row in json.loads(report.path.read_text())["done"]] == [True, True, True]
    meshes = list(person.meshes)
    meshes[1] = None
    monkeypatch.setattr(person, "meshes", meshes)
    report = reconstruct(photographs, tmp_path / "some", None, settings)
    assert [row.get("mesh", False) for row in json.loads(report.path.read_text())["done"]] == [False, False, False]
